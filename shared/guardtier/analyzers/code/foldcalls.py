"""CallFolder: what calls come to: imports, getattr, pure functions, methods, the text's own functions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from guardtier.analyzers.code import pure
from guardtier.analyzers.code.harmful import worst
from guardtier.analyzers.code.items import is_dictionary, is_sequence, item, iterated, keyed, spread
from guardtier.analyzers.code.names import Names
from guardtier.analyzers.code.operations import (
    COMPUTED,
    IMPORTERS,
    MAX_ITEMS,
    NAMESPACES,
    PATH,
    as_path,
    attribute_of,
    canonical,
    imported,
    secret,
    secret_variable,
    unusual,
)
from guardtier.analyzers.code.rules import Call, Rules
from guardtier.analyzers.code.value import NOTHING, Pairs, Value, either, known, named

if TYPE_CHECKING:
    from guardtier.analyzers.code.fold import Folder

#: Rules for whatever they are an attribute of, by what the dotted name ends with.
_SUFFIXES = {".objects.all": "*.objects.all", ".query": "*.query"}
MAX_NAMES = 8  #: for one method, each for the one before
#: What gives one of the items that it is given.
_ANY_OF = frozenset({"random.choice", "next", "min", "max", "secrets.choice"})
#: They give an attribute by a name that is a value.
GETTERS = frozenset({"getattr", "inspect.getattr_static"})
#: They too, or a namespace.
_REACHING = GETTERS | {"globals", "locals", "vars", "operator.attrgetter"}
#: What takes one out of a namespace: ``sys.modules.get("os")``.
_TAKING = frozenset(f"{space}.{by}" for space in NAMESPACES for by in ("get", "pop", "__getitem__"))


#: Methods of dictionaries that give what stands under a key.
_TAKEN = frozenset({"get", "pop", "setdefault"})
_POPPED = frozenset({"pop", "popleft", "get", "get_nowait"})  #: and of lists and queues


_ENVIRONMENT = frozenset({"environment"})
#: Of the environment one variable, or its default.
_VARIABLE = frozenset({"os.environ.get", "os.environ.pop", "os.environ.setdefault", "os.environb.get"})
#: What gives the same file, or its text.
_WHOLE = frozenset(
    {"read", "read_text", "read_bytes", "readlines", "getsource", "abspath", "realpath", "resolve",
     "absolute", "fspath", "str", "encode", "decode", "Path"}
)  # fmt: skip


class CallFolder:
    """Folds calls for the folder that it belongs to."""

    def __init__(self, folder: Folder, names: Names, rules: Rules) -> None:
        self._folder = folder
        self._names = names
        self._rules = rules

    def value(self, node: ast.Call) -> Value:
        folded = self._folder.value
        called = folded(node.func)
        args = spread([folded(arg) for arg in node.args], node.args)
        name = called.origin
        marks = called.marks - _ENVIRONMENT if name in _VARIABLE else called.marks
        for arg in args:
            if arg.marks:
                marks |= arg.marks
        for keyword in node.keywords:
            if given := folded(keyword.value).marks:
                marks |= given
        result = self._computed(node, name, args) if name else self._method(node, args)
        if rules := self._rules.calls.get(name):
            marks = marks.union(*[_marks_of(rule, args) for rule in rules])
        if "own" in marks and not _reads_whole(name, args):
            marks -= {"own"}
        return result.marked(marks) if marks else result

    def receiver(self, node: ast.Call) -> Value:
        """See :meth:`Folder.receiver`."""
        method, folded = node.func, self._folder.value
        for _ in range(MAX_NAMES):
            if isinstance(method, ast.Attribute):
                return folded(method.value)
            if isinstance(method, ast.Call) and method.args and folded(method.func).origin in GETTERS:
                return folded(method.args[0])
            if isinstance(method, ast.IfExp):  # ``(p.rmdir if p.is_dir() else p.unlink)()``
                method = method.body
                continue
            bound = self._names.bindings.get(method.id, ()) if isinstance(method, ast.Name) else ()
            if len(bound) != 1 or bound[0].steps:
                break
            method = bound[0].node
        return NOTHING

    def _computed(self, node: ast.Call, name: str, args: list[Value]) -> Value:
        if name in pure.FUNCTIONS:
            return self._pure(name, args)
        if name in IMPORTERS and args:
            return named(canonical(imported(name, node, args[0].texts[0])) if args[0].texts else COMPUTED)
        if name in _REACHING:
            return self._reached(name, args)
        if name in _TAKING and args and args[0].texts:
            return named(canonical(self._names.imports.get(args[0].texts[0], args[0].texts[0])))
        head, _, rest = name.partition(".")
        if head == "attrgetter" and args:
            return attribute_of(args[0], rest)
        return self._returned(rest) if head == "def" else self._other(node, name, args)

    def _other(self, node: ast.Call, name: str, args: list[Value]) -> Value:
        if maker := _MAKERS.get(name):
            return maker(self, node, args)
        if name in _ANY_OF and args:
            return item(args[0], None)
        if name == "map" and len(args) == 2 and args[1].consts:
            return self._mapped(args[0].origin, args[1])
        if (rule := self._rule(name)) and rule.gives:
            return self._instance(rule, args)
        return self._method(node, args)

    def _variable(self, node: ast.Call, args: list[Value]) -> Value:
        """A variable of the environment, or its default."""
        names = args[0].consts if args else ()
        found = [known(pure.VARIABLES[name]) for name in names if name in pure.VARIABLES]
        defaults = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
        kept = secret_variable(args[0]) if args else NOTHING
        return either([*found, *args[1:2], *map(self._folder.value, defaults)] or [NOTHING]).marked(
            kept.marks
        )

    def _dictionary(self, node: ast.Call, args: list[Value]) -> Value:
        named = [
            (keyword.arg, self._folder.value(keyword.value)) for keyword in node.keywords if keyword.arg
        ]
        if not named:
            return args[0] if args else known(Pairs((), ()))
        keys = [name for name, _ in named]
        return self._folder.apply(lambda *items: Pairs(keys, items), [value for _, value in named])

    def _pure(self, name: str, args: list[Value]) -> Value:
        made = self._folder.apply(pure.FUNCTIONS[name], args)
        if name.startswith(f"{PATH}."):
            return as_path(made)
        return made.marked(["decoded"]) if name in pure.DECODERS else made

    def _reached(self, name: str, args: list[Value]) -> Value:
        """What getattr, globals and their kin give."""
        if name in {"globals", "locals"} or (name == "vars" and not args):
            return named("globals()")
        if name == "vars":
            return args[0]
        if name == "operator.attrgetter":
            return named(f"attrgetter.{args[0].texts[0] if args and args[0].texts else COMPUTED}")
        if len(args) < 2:
            return NOTHING
        if args[1].texts:
            return worst([attribute_of(args[0], text) for text in args[1].texts])
        return named(COMPUTED) if args[0].origin.partition(".")[0] in self._rules.modules else NOTHING

    def _method(self, node: ast.Call, args: list[Value]) -> Value:
        if not isinstance(node.func, ast.Attribute):
            return NOTHING
        on, method = self.receiver(node), node.func.attr
        told = on.consts or on.origin == PATH
        if told and (found := self._of_constant(on, method, args)) is not None:
            return found
        if method == "decode" and unusual(args):
            return Value(marks=frozenset({"decoded"}))
        if method in self._names.returns and method in self._names.functions:
            return self._returned(method)
        return NOTHING

    def _of_constant(self, on: Value, method: str, args: list[Value]) -> Value | None:
        """What a method of a path, a text, a list or a dictionary comes to."""
        if on.origin == PATH and method in pure.PATH_METHODS:
            return as_path(
                self._folder.apply(pure.PATH_METHODS[method], [Value(on.consts, on.whole), *args])
            )
        if method in _POPPED and is_sequence(on) and not is_dictionary(on):
            return item(on, None)
        if method in _TAKEN and is_dictionary(on):
            found = keyed(on, args[0].consts[0]) if args and args[0].consts else item(on, None)
            return worst([found, *args[1:2]])
        if method not in pure.METHODS:
            return None
        made = self._folder.apply(pure.METHODS[method], [Value(on.consts, on.whole), *args])
        return made.marked(["decoded"]) if method == "decode" and unusual(args) else made

    def _mapped(self, function: str, over: Value) -> Value:
        if function == PATH:
            return as_path(over)
        made = pure.FUNCTIONS.get(function)
        if made is None:
            return NOTHING
        return self._folder.apply(lambda items: tuple(made(item) for item in iterated(items)), [over])

    def _returned(self, name: str) -> Value:
        given = islice(self._names.returns.get(name, ()), MAX_ITEMS)
        return worst([self._folder.value(node) for node in given])

    def _rule(self, name: str) -> Call | None:
        found = self._rules.calls.get(name)
        if found is None:
            last = next((rule for ending, rule in _SUFFIXES.items() if name.endswith(ending)), "")
            found = self._rules.calls.get(last)
        return next((rule for rule in found if rule.gives), found[0]) if found else None

    def _instance(self, rule: Call, args: list[Value]) -> Value:
        held = [args[at] for at in rule.holds if isinstance(at, int) and at < len(args)]
        if rule.gives == PATH:
            return as_path(self._folder.apply(pure.FUNCTIONS["os.path.join"], args) if args else known("."))
        joined = held[0] if held else NOTHING
        return Value(joined.consts, joined.whole, frozenset(), rule.gives, True)


def _reads_whole(name: str, args: list[Value]) -> bool:
    """Whether what it gives is still the file that it is given: the same path, or all that is in it."""
    if name.rpartition(".")[2] == "open":
        modes = [text for mode in args[1:2] for text in mode.texts]
        return len(args) < 2 or (bool(modes) and all(set(mode) <= set("rbtU") for mode in modes))
    return name == PATH or name.rpartition(".")[2] in _WHOLE


def _marks_of(rule: Call, args: list[Value]) -> list[str]:
    """What a function that the rule is about makes of these."""
    read = [args[at] for at in rule.does.get("read", ()) if isinstance(at, int) and at < len(args)]
    return [*rule.marks, "secret"] if any(map(secret, read)) else list(rule.marks)


_COUNTED = Value(marks=frozenset({"counted"}))
_COUNTING = (
    "range",
    "itertools.product",
    "itertools.permutations",
    "ipaddress.ip_network",
    "netaddr.IPNetwork",
)
#: What else is computed from a call's own arguments.
_MAKERS: dict[str, Callable[[CallFolder, ast.Call, list[Value]], Value]] = {
    "os.getenv": CallFolder._variable,
    "os.environ.get": CallFolder._variable,
    "dict": CallFolder._dictionary,
    **dict.fromkeys(_COUNTING, lambda *_: _COUNTED),
}
