"""bind_given(names): what calls give to names: arguments to parameters, items to lists, defaults.

As blind to order and scope as :mod:`guardtier.analyzers.code.names`, whose second half it is.
"""

from __future__ import annotations

import ast
from collections.abc import Container
from typing import TYPE_CHECKING

from guardtier.analyzers.code.binding import Binding, called, fields_of, key_of, option_of

if TYPE_CHECKING:
    from guardtier.analyzers.code.names import Names, Site

_OWN = frozenset({"self", "cls"})
_FEW = 6  #: arguments and parameters of which each may stand for each
_GROWN = 64  #: items that are given to one list
_LISTS = frozenset({"list", "set", "deque", "Queue", "LifoQueue", "SimpleQueue", "field"})
_DICTS = frozenset({"dict", "defaultdict", "OrderedDict"})
#: What gives a list one more item, by the position of that item.
_ONE_MORE = {"append": 0, "add": 0, "appendleft": 0, "insert": 1, "put": 0}
_MORE = frozenset({"extend", "update"})
_OPTIONS = frozenset({"add_argument", "add_option", "set_defaults"})
#: They make a function answer others.
_REGISTERING = frozenset({"register_function", "register_instance", "add_url_rule", "add_handler"}) | {
    "add_api_route", "basic_consume", "subscribe", "message_callback_add", "add_command"
}  # fmt: skip
_TAKEN = frozenset({"get", "pop"})  #: give what stands under a key
_GIVING = frozenset({*_ONE_MORE, *_MORE, *_OPTIONS, "namedtuple"})
_LAMBDA = frozenset({ast.Lambda})
_HANDED = frozenset({ast.Lambda, ast.Name, ast.Attribute})


def bind_given(names: Names) -> None:
    grown: dict[str, list[ast.expr]] = {}
    functions = names.functions
    telling = {*_GIVING, *functions, *names.fields}
    handed = _HANDED if functions else _LAMBDA
    for site in reversed(names.calls):  # in the order of the text
        node = site.node
        function = node.func
        kind = type(function)
        if kind is ast.Attribute:
            if function.attr in telling:  # type: ignore[attr-defined]
                _bind_called(names, site, grown, telling)
        elif kind is not ast.Name or function.id in telling:  # type: ignore[attr-defined]
            _bind_called(names, site, grown, telling)
        for arg in node.args[:_FEW]:
            if type(arg) in handed and _is_function(arg, functions):
                _hand_on(names, site, arg)
        for keyword in node.keywords[:_FEW]:
            if type(keyword.value) in handed and _is_function(keyword.value, functions):
                _hand_on(names, site, keyword.value, keyword.arg or "")
    for key, items in grown.items():
        _grow(names, key, items)
    _fill_all(names)


def _is_function(node: ast.expr, functions: Container[str]) -> bool:
    kind = type(node)
    if kind is ast.Name:
        return node.id in functions  # type: ignore[attr-defined]
    if kind is ast.Attribute:
        return node.attr in functions  # type: ignore[attr-defined]
    return kind is ast.Lambda


def _bind_called(names: Names, site: Site, grown: dict[str, list[ast.expr]], telling: set[str]) -> None:
    """What the function that is called makes of its arguments."""
    node = site.node
    function = node.func
    name = ""
    if isinstance(function, ast.Attribute):
        name = function.attr
        if name in _GIVING and name != "namedtuple":
            _give(names, node, name, grown)
    elif isinstance(function, ast.Name):
        name = function.id
    elif isinstance(function, ast.Lambda):
        _bind_call(names, function.args, node)
    else:
        _bind_kept(names, function, node)
    if name in names.functions:
        if name == site.function:
            names.again.add(name)
        _bind_call(names, names.functions[name], node)
    elif name == "namedtuple":
        made = str(node.args[0].value) if node.args and isinstance(node.args[0], ast.Constant) else ""
        names.fields[made] = fields_of(node)
        telling.add(made)
    elif name in names.fields:
        _bind_fields(names, names.fields[name], node)


def _bind_kept(names: Names, function: ast.expr, node: ast.Call) -> None:
    """``actions["wipe"](path)``: each function that is kept there may be meant."""
    keep = function.value if isinstance(function, ast.Subscript) else None
    if isinstance(function, ast.Call) and called(function) in _TAKEN:
        keep = getattr(function.func, "value", None)
    for bound in names.bindings.get(key_of(keep), ())[:_FEW] if keep is not None else ():
        kept = bound.node
        if isinstance(kept, ast.Dict | ast.List | ast.Tuple):
            for one in (kept.values if isinstance(kept, ast.Dict) else kept.elts)[:_GROWN]:
                args = (
                    one.args
                    if isinstance(one, ast.Lambda)
                    else names.functions.get(key_of(one).lstrip("."))
                )
                if args is not None:
                    _bind_call(names, args, node)


def _bind_call(names: Names, args: ast.arguments, node: ast.Call) -> None:
    """A parameter may be what any call of that function passes for it."""
    given = _parameters(args, len(node.args) + _FEW)
    for at, (name, value) in enumerate(zip(given, node.args, strict=False)):
        if type(value) is ast.Starred:
            for rest in given[at : at + _FEW]:
                names.add(rest, Binding(value.value, (None,)))
            break
        names.add(name, Binding(value))
    for keyword in node.keywords:
        if keyword.arg:
            names.add(keyword.arg, Binding(keyword.value))
            continue
        for name in (*given[:_FEW], *[arg.arg for arg in args.kwonlyargs[:_FEW]]):
            names.add(name, Binding(keyword.value, (None,)))
    if args.vararg and len(node.args) > len(given):
        names.add(args.vararg.arg, Binding(ast.Tuple(elts=node.args[len(given) :])))
    if args.kwarg and node.keywords:
        named = [(ast.Constant(one.arg), one.value) for one in node.keywords if one.arg]
        keys: list[ast.expr | None] = [key for key, _ in named]
        names.add(args.kwarg.arg, Binding(ast.Dict(keys=keys, values=[value for _, value in named])))


def _parameters(args: ast.arguments, many: int) -> list[str]:
    """The first of its parameters, without a method's own."""
    every = (
        args.posonlyargs[: many + 1] + args.args[: many + 1] if args.posonlyargs else args.args[: many + 1]
    )
    names = [arg.arg for arg in every]
    return names[1:] if names and names[0] in _OWN else names[:many]


def _bind_fields(names: Names, fields: list[str], node: ast.Call) -> None:
    """The attributes of a class that has fields and no ``__init__`` of its own."""
    for name, value in zip(fields, node.args, strict=False):
        names.add(f".{name}", Binding(value))
    for keyword in node.keywords:
        if keyword.arg in fields:
            names.add(f".{keyword.arg}", Binding(keyword.value))


def _give(names: Names, node: ast.Call, name: str, grown: dict[str, list[ast.expr]]) -> None:
    if name in _OPTIONS:
        if name == "set_defaults":
            for keyword in node.keywords:
                names.add(f".{keyword.arg}", Binding(keyword.value))
        elif option := option_of(node):
            names.add(f".{option[0]}", Binding(option[1]))
        return
    key = key_of(node.func.value)  # type: ignore[attr-defined]
    at = _ONE_MORE.get(name, 0)
    if not key or len(node.args) <= at:
        return
    items = grown.setdefault(key, [])
    if len(items) < _GROWN:
        item = node.args[at]
        items.append(ast.Starred(value=item) if name in _MORE else item)


def _grow(names: Names, key: str, items: list[ast.expr]) -> None:
    """A list may also be what it was before with all that is added to it."""
    bound = names.bindings.get(key, ())
    first = next((one.node for one in bound if not one.steps and _is_list(one.node)), None)
    if first is not None:
        names.add(key, Binding(ast.BinOp(left=first, op=ast.Add(), right=ast.List(elts=items))))


def _is_list(node: ast.expr) -> bool:
    return isinstance(node, ast.List | ast.Set) or (called(node) or key_of(node)) in _LISTS


def _fill_all(names: Names) -> None:
    for target, value in names.assigned:
        if value is not None and type(target) is ast.Subscript:
            _fill(names, target, value)


def _fill(names: Names, target: ast.Subscript, value: ast.expr) -> None:
    """``d["path"] = value``, where d is a dictionary of the text's own."""
    key = key_of(target.value)
    bound = names.bindings.get(key, [])
    if any(isinstance(one.node, ast.Dict) or called(one.node) in _DICTS for one in bound[:_FEW]):
        names.add(key, Binding(ast.Dict(keys=[target.slice], values=[value])))


def _hand_on(names: Names, site: Site, arg: ast.expr, keyword: str = "") -> None:
    """A function that is handed on is called with what stands beside it, or with each item of that."""
    if isinstance(arg, ast.Lambda):
        args: ast.arguments | None = arg.args
    else:
        name = arg.attr if isinstance(arg, ast.Attribute) else arg.id  # type: ignore[attr-defined]
        args = names.functions.get(name)
        if args is not None:
            names.handed.append((site, name))
            if name == site.function:
                names.again.add(name)
            if keyword[:3] == "on_" or called(site.node) in _REGISTERING:
                names.called_back(name)
    if args is not None:
        every = (*site.node.args[:_FEW], *[one.value for one in site.node.keywords[:_FEW]])
        _hand(names, args, [one for one in every if one is not arg])


def _hand(names: Names, args: ast.arguments, others: list[ast.expr]) -> None:
    for at, name in enumerate(_parameters(args, _FEW)):
        for other in others:
            names.add(name, Binding(other, (None,)))
            if isinstance(other, ast.Tuple | ast.List) and at < len(other.elts):
                names.add(name, Binding(other.elts[at]))
        if at < len(others):
            names.add(name, Binding(others[at]))
