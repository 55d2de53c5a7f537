"""Names: what the names of a Python text may stand for, wherever in it they are set, and its calls.

Deliberately blind to order and scope: a name may be anything that is ever assigned to it. That errs
on the side of seeing too much, and needs one pass.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from guardtier.analyzers.code.binding import (
    Binding,
    called,
    default_of,
    is_long,
    key_of,
    never_ends,
    option_of,
)
from guardtier.analyzers.code.given import bind_given

_LOOPS = frozenset({ast.While, ast.For, ast.AsyncFor, ast.ListComp, ast.GeneratorExp, ast.SetComp})
_STEPS = 4  #: tuples within tuples that are unpacked
_FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef})
#: What changes the place that its children stand in.
_PLACES = _LOOPS | _FUNCTIONS
_GIVING_BACK = frozenset({ast.Return, ast.Yield, ast.YieldFrom})
_TOLD_LATER = ast.Compare | ast.Name | ast.Call | ast.BoolOp | ast.Attribute
#: Decorators that make a function answer others: of web frameworks, of bots.
_SERVING = frozenset(
    {"route", "get", "post", "put", "patch", "delete", "websocket", "api_route", "event",
     "message_handler", "on_message", "slash_command", "on_event"}
)  # fmt: skip
#: Folds to what comes from the network.
_SENT_BY_OTHERS = ast.Attribute(value=ast.Name(id="_", ctx=ast.Load()), attr="rfile", ctx=ast.Load())
_OPTIONS = frozenset({"option", "argument"})  #: decorators of click
_IDLE = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "name", "names", "kind", "type_comment", "type_ignores",
     "level", "module", "conversion", "asname", "is_async", "simple", "annotation",
     "rest", "kwd_attrs"}
)  # fmt: skip


def _children(kind: type[ast.AST]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the fields that hold other nodes. Measured: half the time of going through all."""
    fields = [name for name in kind._fields if name not in _IDLE]
    if len(fields) > 1:
        return attrgetter(*fields)
    return (lambda node: (getattr(node, fields[0]),)) if fields else lambda _: ()


_CHILDREN = {
    kind: _children(kind)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_LEAVES = frozenset({ast.Name, ast.Constant, type(None), ast.Pass, ast.alias})
#: Kinds of which nothing matters but the one value that they hold.
_AROUND = frozenset({ast.Attribute, ast.Expr, ast.keyword, ast.Starred, ast.Await})


class Site(NamedTuple):
    """One call, whether it stands in a loop, and in which function."""

    node: ast.Call
    looped: bool
    function: str = ""


class Names:
    """One pass over a tree."""

    def __init__(self, tree: ast.AST) -> None:
        self.imports: dict[str, str] = {}
        self.imported_before: dict[str, list[str]] = {}  #: what else is imported by a name
        self.stars: list[str] = []
        self.bindings: dict[str, list[Binding]] = {}
        self.calls: list[Site] = []
        self.endless: list[tuple[ast.While | ast.For, str]] = []  #: loops, and what function they are in
        self.long: list[ast.For] = []  #: loops of very many turns
        self._within = ""
        self.again: set[str] = set()  #: functions that call themselves
        self.handed: list[tuple[Site, str]] = []  #: where functions of the text are handed on
        self.products: list[ast.BinOp] = []
        self.assigned: list[tuple[ast.expr, ast.expr | None]] = []
        self.functions: dict[str, ast.arguments] = {}
        self.returns: dict[str, list[ast.expr]] = {}
        self.yields: dict[str, list[ast.expr]] = {}
        self.fields: dict[str, list[str]] = {}  #: of classes that make their ``__init__`` of them
        self.properties: list[str] = []
        self.classes: set[str] = set()
        self.serves = False  #: whether it answers requests by a class of its own
        self._served: list[str] = []  #: functions that are called with what others send
        self._walk(tree)
        self._bind_returned()
        bind_given(self)

    def _walk(self, tree: ast.AST) -> None:
        """Every node, the last child first.

        Measured on what agents run: a third of the time of a stack of tuples that leaves are kept out
        of. Nodes of one place (loop, function) share a stack, so that most are just moved in C.
        """
        outer: list[tuple[list[Any], bool, str]] = []
        nodes: list[Any] = [tree]
        looped, function = False, ""
        around, leaves, telling, children = _AROUND, _LEAVES, _TELLING, _CHILDREN
        giving_back = _GIVING_BACK
        while nodes or outer:
            if not nodes:
                nodes, looped, function = outer.pop()
                self._within = function
                continue
            node = nodes.pop()
            kind = type(node)
            while kind in around:
                node = node.value
                kind = type(node)
            if kind in leaves:
                continue
            if kind in telling:
                if kind is ast.Call:
                    self.calls.append(Site(node, looped, function))
                elif kind in _HANDLERS:
                    _HANDLERS[kind](self, node)
                elif kind in giving_back and function and node.value:
                    self._give_back(kind, function, node.value)
                if kind in _PLACES:
                    outer.append((nodes, looped, function))
                    nodes = []
                    looped = looped or kind in _LOOPS
                    self._within = function = node.name if kind in _FUNCTIONS else function
            for child in children[kind](node):
                if type(child) is list:
                    nodes += child
                elif type(child) not in leaves:
                    nodes.append(child)

    def _give_back(self, kind: type[ast.AST], function: str, value: ast.expr) -> None:
        if kind is ast.Return:
            self.returns.setdefault(function, []).append(value)
        else:
            one = value if kind is ast.Yield else ast.Starred(value=value)
            self.yields.setdefault(function, []).append(one)

    def _bind(self, target: ast.expr, node: ast.expr, steps: tuple[int | None, ...] = ()) -> None:
        """Remember that the target may be the node."""
        if isinstance(target, ast.Name):
            self.add(target.id, Binding(node, steps))
            if isinstance(node, ast.Lambda) and not steps:
                self.functions[target.id] = node.args
                self.returns.setdefault(target.id, []).append(node.body)
        elif isinstance(target, ast.Attribute):
            self.add(f".{target.attr}", Binding(node, steps))
            self.assigned.append((target, node))
            if target.attr[:3] == "on_":
                self._served.append(key_of(node).lstrip("."))
        elif isinstance(target, ast.Subscript):
            self.assigned.append((target, node))
        elif isinstance(target, ast.Starred):
            self._bind(target.value, node, steps)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, node, steps)

    def _unpack(self, targets: list[ast.expr], node: ast.expr, steps: tuple[int | None, ...]) -> None:
        starred = any(isinstance(target, ast.Starred) for target in targets)
        plain = isinstance(node, ast.Tuple | ast.List) and not steps and not starred
        for index, target in enumerate(targets):
            if plain and len(node.elts) == len(targets):  # type: ignore[attr-defined]
                self._bind(target, node.elts[index])  # type: ignore[attr-defined]
            elif len(steps) < _STEPS:
                self._bind(target, node, (*steps, None if starred else index))

    def add(self, name: str, binding: Binding) -> None:
        self.bindings.setdefault(name, []).append(binding)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self._imported(alias.asname, alias.name)
            else:
                top = alias.name.partition(".")[0]
                self._imported(top, top)

    def _import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(node.module or "")
            else:
                self._imported(alias.asname or alias.name, f"{node.module or ''}.{alias.name}")

    def _imported(self, name: str, origin: str) -> None:
        """Of several, the text's last one comes first here."""
        if self.imports.setdefault(name, origin) != origin:
            self.imported_before.setdefault(name, []).append(origin)

    def _assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind(target, node.value)

    def _annotated(self, node: ast.AnnAssign | ast.NamedExpr) -> None:
        if node.value is not None:
            self._bind(node.target, node.value)

    def _augmented(self, node: ast.AugAssign) -> None:
        if (
            type(node.value) is ast.Constant
            and type(node.value.value) is int
            and type(node.op) in _COUNTING
        ):
            self._bind(node.target, _UNKNOWN)  # which number, would take as long to tell as the text to run
            return
        both = ast.BinOp(left=node.target, op=node.op, right=node.value)
        self._bind(node.target, ast.copy_location(both, node))

    def _loop(self, node: ast.For | ast.comprehension) -> None:
        self._bind(node.target, node.iter, (None,))
        if type(node.iter) is ast.Call and isinstance(node, ast.For) and never_ends(node.iter):
            self.endless.append((node, self._within))
        if isinstance(node, ast.For) and is_long(node.iter):
            self.long.append(node)

    def _with(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr)

    def _class(self, node: ast.ClassDef) -> None:
        self.classes.add(node.name)
        if any(key_of(base).endswith("HTTPRequestHandler") for base in node.bases):
            self.serves = True
        fields, values = [], []
        for one in node.body:
            if isinstance(one, ast.FunctionDef) and one.name == "__init__":
                self.functions[node.name] = one.args
            elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                self.add(f".{one.targets[0].id}", Binding(one.value))
                values.append(one.value)
            elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                fields.append(one.target.id)
                if one.value is not None and (default := default_of(one.value)):
                    self.add(f".{one.target.id}", Binding(default))
            elif isinstance(one, ast.Import | ast.ImportFrom):
                for alias in one.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self.add(f".{name}", Binding(ast.Name(id=name, ctx=ast.Load())))
        if fields:
            self.fields[node.name] = fields
        if values and any(key_of(base).endswith("Enum") for base in node.bases):
            self.add(node.name, Binding(ast.Tuple(elts=values)))  # what a loop goes through

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name != "__init__":
            self.functions[node.name] = node.args
        given = [*node.args.posonlyargs, *node.args.args]
        for arg, default in zip(reversed(given), reversed(node.args.defaults), strict=False):
            self.add(arg.arg, Binding(default_of(default) or default))
        for decorator in node.decorator_list:
            name = called(decorator) or key_of(decorator).lstrip(".")
            if name in _SERVING or (name == "command" and isinstance(node, ast.AsyncFunctionDef)):
                self._served.append(node.name)
            elif name in _OPTIONS and isinstance(decorator, ast.Call):
                if option := option_of(decorator):
                    self.add(option[0], Binding(option[1]))
            elif name.endswith("property"):
                self.properties.append(node.name)
        for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=False):
            if value is not None:
                self.add(arg.arg, Binding(value))

    def _delete(self, node: ast.Delete) -> None:
        self.assigned.extend((target, None) for target in node.targets)

    def _while(self, node: ast.While) -> None:
        if not isinstance(node.test, _TOLD_LATER) or _of_constants(node.test):
            self.endless.append((node, self._within))

    def _product(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Mult):
            self.products.append(node)

    def _bind_returned(self) -> None:
        """What generators yield is what they return, one by one; a property is what it returns."""
        for function, yielded in self.yields.items():
            self.returns.setdefault(function, []).append(ast.List(elts=yielded[::-1]))
        for name in self.properties:
            for value in self.returns.get(name, ()):
                self.add(f".{name}", Binding(value))
        for function in self._served:
            self.called_back(function)

    def called_back(self, function: str) -> None:
        """The function is called with what others send."""
        if (args := self.functions.get(function)) is not None:
            for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs):
                self.add(arg.arg, Binding(_SENT_BY_OTHERS))


def _of_constants(test: ast.expr) -> bool:
    """``1 == 1``"""
    return isinstance(test, ast.Compare) and all(
        isinstance(one, ast.Constant) for one in (test.left, *test.comparators)
    )


#: It counts: ``i += 1``.
_COUNTING = frozenset({ast.Add, ast.Sub})
_UNKNOWN = ast.Constant(value=...)
_HANDLERS: dict[type, Callable[[Names, Any], None]] = {
    ast.Import: Names._import,
    ast.ImportFrom: Names._import_from,
    ast.Assign: Names._assign,
    ast.AnnAssign: Names._annotated,
    ast.AugAssign: Names._augmented,
    ast.NamedExpr: Names._annotated,
    ast.For: Names._loop,
    ast.AsyncFor: Names._loop,
    ast.comprehension: Names._loop,
    ast.withitem: Names._with,
    ast.ClassDef: Names._class,
    ast.FunctionDef: Names._function,
    ast.AsyncFunctionDef: Names._function,
    ast.Delete: Names._delete,
    ast.While: Names._while,
    ast.BinOp: Names._product,
}
#: What is looked at besides its children.
_TELLING = frozenset({ast.Call, *_GIVING_BACK, *_HANDLERS, *_PLACES})
