"""Folder: what an expression comes to, as far as constants, names and pure functions tell."""

from __future__ import annotations

import ast
from collections.abc import Callable
from itertools import islice, product
from typing import Any

from guardtier.analyzers.code import pure
from guardtier.analyzers.code.binding import Binding
from guardtier.analyzers.code.foldcalls import CallFolder
from guardtier.analyzers.code.harmful import WORST, worst
from guardtier.analyzers.code.items import (
    DISPLAYS,
    held_in,
    holding,
    is_dictionary,
    is_sequence,
    item,
    keyed,
    spread_out,
    starred,
    stepped,
)
from guardtier.analyzers.code.names import Names
from guardtier.analyzers.code.operations import (
    BUILTINS,
    FAMILIAR,
    MAX_ITEMS,
    NAMESPACES,
    OPERATIONS,
    PATH,
    SENT,
    added,
    as_path,
    attribute_of,
    canonical,
    choices,
    constant,
    path_attribute,
    secret_variable,
    shown,
)
from guardtier.analyzers.code.rules import Rules
from guardtier.analyzers.code.turns import Turns
from guardtier.analyzers.code.value import (
    HOLE,
    MAX_CHOICES,
    NOTHING,
    Const,
    Pairs,
    Value,
    known,
    named,
    size,
)

MAX_DEPTH = 60  #: expressions within expressions, names behind names
BUDGET = 1 << 17  #: characters and items that folding one text may produce

_ENVIRON = {"os.environ", "os.environb"}
_NETWORK = frozenset({"network"})
_OWN = frozenset({"own"})
_OWN_BY = frozenset({"sys.argv", "sys.modules"})


class Folder:
    """Folds the expressions of one text. Each is looked at once; the work is bounded."""

    def __init__(self, names: Names, rules: Rules) -> None:
        self._names = names
        self._rules = rules
        self._memo: dict[int, Value] = {}
        self._by_name: dict[str, Value] = {}
        self._open: set[int] = set()
        self.local: dict[str, Value] = {}  #: what names stand for within a comprehension
        self._depth = 0
        self._left = BUDGET
        self._calls = CallFolder(self, names, rules)
        self._turns = Turns(self)

    @property
    def exhausted(self) -> bool:
        """Whether a bound was reached: something may be made of more than was seen."""
        return self._left < 0

    def value(self, node: ast.expr) -> Value:
        key = id(node)
        if not self.local and (found := self._memo.get(key)) is not None:
            return found
        if key in self._open or self._depth > MAX_DEPTH or self._left < 0:
            return NOTHING
        kind = type(node)
        result: Value | None = None
        if kind is ast.Constant:
            result = constant(node)  # type: ignore[arg-type]
        elif kind is ast.Name and not self.local:
            result = self._by_name.get(node.id)  # type: ignore[attr-defined]
            if result is not None:  # which makes nothing new
                self._left -= 1
                self._memo[key] = result
                return result
        if result is None:
            handler = _HANDLERS.get(kind)
            if handler is None:
                return NOTHING
            self._open.add(key)
            self._depth += 1
            try:
                result = handler(self, node)
            except RecursionError:
                result = NOTHING
            finally:
                self._depth -= 1
                self._open.discard(key)
        self._left -= 1 + sum(map(size, result.consts)) if result.consts else 1
        if not self.local:
            self._memo[key] = result
        return result

    def function(self, node: ast.Call) -> Value:
        """What is called: its origin, and for a method the value that it is called on."""
        return self.value(node.func)

    def receiver(self, node: ast.Call) -> Value:
        """What a method is called on, also by getattr or by another name: ``f = path.unlink; f()``."""
        return self._calls.receiver(node)

    def _name(self, node: ast.Name) -> Value:
        name = node.id
        if name in self.local:
            return self.local[name]
        if self.local:
            return self._named(name)
        found = self._by_name[name] = self._named(name)
        return found

    def _named(self, name: str) -> Value:
        bound = self._names.bindings.get(name)
        imported, others = self._names.imports.get(name), self._names.imported_before.get(name)
        if bound is None and others is None:
            if name == "__file__":
                return Value(marks=_OWN)
            origin = self._plain(name, imported)
            return Value(origin=origin, marks=_NETWORK) if origin in SENT else named(origin)
        if bound and len(bound) == 1 and not imported and name not in WORST:  # most of them
            return self._bound(bound[0])
        values = [self._bound(binding) for binding in islice(bound or (), MAX_ITEMS)]
        if imported:
            values += [named(canonical(one)) for one in (imported, *(others or ()))]
        elif name in WORST:  # ``os = os``: it may still be what an earlier cell imported
            values.append(named(name))
        return worst(values)

    def _plain(self, name: str, imported: str | None) -> str:
        """A name that nothing is assigned to: imported, star-imported, one of the text's own or builtin."""
        if imported:
            return canonical(imported)
        for module in self._names.stars:
            if f"{module}.{name}" in self._rules.calls:
                return f"{module}.{name}"
        if name in self._names.functions:
            return f"def.{name}"
        if name in BUILTINS:
            return name
        # Nothing gives it a value here, so an earlier cell of a notebook did, or it is an error.
        return FAMILIAR.get(name) or (canonical(name) if self._rules.is_module(name) else "")

    def _bound(self, binding: Binding) -> Value:
        if not binding.steps:  # most of them
            return worst([self.value(binding.node)])
        nodes, steps = [binding.node], binding.steps
        while steps and all(type(node) in DISPLAYS for node in nodes):  # what it holds may be functions
            nodes, steps = stepped(nodes, steps[0]), steps[1:]
        values = [self.value(node) for node in islice(nodes, MAX_ITEMS)]
        value = worst(values)
        for step in steps:
            value = item(value, step)
        return value

    def _attribute(self, node: ast.Attribute) -> Value:
        base, name = self.value(node.value), node.attr
        of_module = bool(base.origin) and not base.instance
        bound = self._names.bindings.get(f".{name}")
        if name == "__dict__" or (name == "value" and base.consts and not bound):  # of an Enum
            return base
        if name == "__self__" and of_module:  # a builtin function's own module
            return named(base.origin.rpartition(".")[0] or "builtins")
        if bound and not of_module:
            values = [self._bound(one) for one in islice(bound, MAX_ITEMS)]
            if name in self._rules.methods:  # of something else that has it
                values.append(named(f"*.{name}"))
            return worst(values).marked(base.marks)
        if base.instance and (name == "stdin" or base.origin == PATH):
            return path_attribute(base, name) if base.origin == PATH else base
        dotted = canonical(f"{base.origin or '*'}.{name}")
        constant = self._file_of(base.origin) if name == "__file__" and of_module else None
        if constant or dotted in pure.CONSTANTS:
            return known(constant or pure.CONSTANTS[dotted])
        marks = base.marks | {"environment"} if dotted in _ENVIRON else base.marks
        marks = marks | _NETWORK if name == "rfile" or (name == "path" and self._names.serves) else marks
        return Value((), False, marks, dotted)

    def _file_of(self, module: str) -> str | None:
        """Where a module that is imported may stand: with the system's own."""
        imported = module in self._names.imports.values()
        return f"/usr/lib/python3/dist-packages/{module.replace('.', '/')}.py" if imported else None

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._slice(base, node.slice)
        key = self.value(node.slice)
        if base.origin in _ENVIRON:
            places = [pure.VARIABLES[name] for name in key.consts if name in pure.VARIABLES]
            return known(*places) if places else secret_variable(key)
        if base.origin in _OWN_BY and _is_own(base.origin, node.slice):
            return Value(marks=_OWN)
        if key.consts and isinstance(key.consts[0], str):
            return self._keyed(base, key.consts[0])
        if key.whole and len(key.consts) == 1 and isinstance(key.consts[0], int):
            return keyed(base, key.consts[0]) if is_dictionary(base) else item(base, key.consts[0])
        return item(base, None) if is_sequence(base) or held_in(base) else Value(marks=base.marks)

    def _keyed(self, base: Value, key: str) -> Value:
        """What stands in a dictionary, or in the namespace of a module or a function."""
        if base.consts or held_in(base):
            found = keyed(base, key)
            return worst([found, attribute_of(base, key)]) if base.origin and not base.instance else found
        if base.origin.endswith("__globals__"):
            return named(
                next((n for n in (f"os.{key}", f"subprocess.{key}") if n in self._rules.calls), key)
            )
        if base.origin in NAMESPACES:
            return named(canonical(self._names.imports.get(key, key)))
        return attribute_of(base, key) if base.origin and not base.instance else Value(marks=base.marks)

    def _slice(self, base: Value, node: ast.Slice) -> Value:
        bounds = [self._number(part) for part in (node.lower, node.upper, node.step)]
        consts = [one[slice(*bounds)] for one in base.consts if isinstance(one, str | bytes | tuple)] \
            if bounds[2] != 0 else []  # fmt: skip
        return Value(tuple(consts), base.whole, base.marks)

    def _number(self, node: ast.expr | None) -> int | None:
        if node is None:
            return None
        return next((one for one in self.value(node).consts if isinstance(one, int)), None)

    def _joined(self, node: ast.JoinedStr) -> Value:
        return self._concat([self.value(part) for part in node.values])

    def _concat(self, values: list[Value]) -> Value:
        return self.apply(lambda *parts: "".join(shown(part) for part in parts), values)

    def _binary(self, node: ast.BinOp) -> Value:
        if isinstance(node.op, ast.Add):
            return self._sum(node)
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Div) and PATH in {left.origin, right.origin}:
            joined = as_path(self.apply(pure.FUNCTIONS["os.path.join"], [left, right]))
            return joined._replace(marks=joined.marks - _OWN)
        operation = OPERATIONS.get(type(node.op))
        if operation is None:
            return Value(marks=left.marks | right.marks)
        return self.apply(operation, [left, right], holes=isinstance(node.op, ast.Mod | ast.BitOr))

    def _sum(self, node: ast.BinOp) -> Value:
        """A chain of ``+`` without recursion: ``"r" + "m" + …`` may be thousands long."""
        parts: list[ast.expr] = []
        current: ast.expr = node
        while isinstance(current, ast.BinOp) and isinstance(current.op, ast.Add):
            parts.append(current.right)
            current = current.left
        parts.append(current)
        return self.apply(added, [self.value(part) for part in reversed(parts)])

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub):
            return self.apply(lambda one: -one, [value], holes=False)
        return Value(marks=value.marks)

    def _sequence(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        if len(node.elts) > MAX_ITEMS:
            self._left = -1
            return NOTHING
        return self._display([self.value(one) for one in node.elts], starred(node.elts))

    def _dict(self, node: ast.Dict) -> Value:
        values = [self.value(one) for one in islice(node.values, MAX_ITEMS)]
        keys = [self._key(one) for one in islice(node.keys, MAX_ITEMS)]
        return holding(self.apply(lambda *items: Pairs(keys, items), values), values)

    def _key(self, node: ast.expr | None) -> Const:
        found = self.value(node).consts if node is not None else ()
        return found[0] if len(found) == 1 else HOLE

    def _display(self, values: list[Value], stars: frozenset[int]) -> Value:
        made = self.apply(lambda *items: spread_out(items, stars) if stars else items, values)
        return holding(made, values)

    def apply(self, function: Callable[..., Const], values: list[Value], holes: bool = True) -> Value:
        """The function of every combination of what the values may be."""
        options = [choices(value, holes) for value in values]
        marks = frozenset().union(*(value.marks for value in values))
        if not all(options) or (all(not value.consts for value in values) and values):
            return Value(marks=marks)
        made: dict[tuple[str, Const], None] = {}
        whole = True
        for number, combination in enumerate(product(*options)):
            if number >= MAX_CHOICES or self._left < 0:
                whole, marks = False, marks | {"many"}
                break
            try:
                const = function(*combination)
                self._left -= size(const)
                made[type(const).__name__, const] = None
            except pure.FAILURES:
                whole = False
        return Value(tuple(const for _, const in made), whole and bool(made), marks)


def _is_own(of: str, key: ast.expr) -> bool:
    """``sys.argv[0]``, ``sys.modules[__name__]``"""
    if of == "sys.argv":
        return isinstance(key, ast.Constant) and key.value == 0
    return isinstance(key, ast.Name) and key.id == "__name__"


def _inside(folder: Folder, node: Any) -> Value:
    return folder.value(node.value)


_HANDLERS: dict[type, Callable[[Folder, Any], Value]] = {
    ast.Constant: lambda _, node: constant(node),
    ast.Name: Folder._name,
    ast.Attribute: Folder._attribute,
    ast.Subscript: Folder._subscript,
    ast.Call: lambda folder, node: folder._calls.value(node),
    ast.JoinedStr: Folder._joined,
    ast.FormattedValue: _inside,
    ast.BinOp: Folder._binary,
    ast.UnaryOp: Folder._unary,
    ast.Tuple: Folder._sequence,
    ast.List: Folder._sequence,
    ast.Set: Folder._sequence,
    ast.Dict: Folder._dict,
    ast.IfExp: lambda folder, node: worst([folder.value(node.body), folder.value(node.orelse)]),
    ast.BoolOp: lambda folder, node: worst([folder.value(one) for one in node.values]),
    ast.NamedExpr: _inside,
    ast.Await: _inside,
    ast.Starred: _inside,
    ast.ListComp: lambda folder, node: folder._turns.value(node),
    ast.GeneratorExp: lambda folder, node: folder._turns.value(node),
    ast.SetComp: lambda folder, node: folder._turns.value(node),
    ast.DictComp: lambda folder, node: Value(
        marks=folder.value(node.generators[0].iter).marks | folder.value(node.value).marks
    ),
}
