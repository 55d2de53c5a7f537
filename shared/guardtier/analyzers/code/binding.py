"""Binding: one of the things that a name of a Python text may stand for; and what a default comes to."""

from __future__ import annotations

import ast
from typing import NamedTuple

#: They stand for a value that they are given: a field of a class, an option of a command.
_FIELDS = frozenset(
    {"field", "Field", "Option", "Argument", "Query", "Form", "Param", "Factory", "option", "argument"}
)
_GIVEN_BY = ("default", "default_factory", "factory")


class Binding(NamedTuple):
    """``node`` itself, or by each of ``steps`` one item of it (None: any of them)."""

    node: ast.expr
    steps: tuple[int | None, ...] = ()


def key_of(node: ast.expr) -> str:
    """The key under which it is bound: a name, or a dot and the name of an attribute of anything."""
    if isinstance(node, ast.Name):
        return node.id
    return f".{node.attr}" if isinstance(node, ast.Attribute) else ""


def called(node: ast.expr) -> str:
    """The bare name of what a call calls; empty for what is no call by a name."""
    return key_of(node.func).lstrip(".") if isinstance(node, ast.Call) else ""


_ENDLESS = frozenset({"count", "repeat", "cycle"})  #: of itertools
_LONG = 100_000  #: turns
_DIGITS = 17  #: of them at most, as powers of two
_EMPTY = frozenset({"int", "str", "bytes", "list", "dict", "set", "tuple", "float", "bool"})


def never_ends(iterated: ast.Call) -> bool:
    """``count()``, ``repeat(x)`` without a number of times, ``iter(int, 1)``."""
    name = called(iterated)
    if name == "iter":
        return len(iterated.args) == 2 and key_of(iterated.args[0]) in _EMPTY
    times = len(iterated.args) > 1 or any(one.arg == "times" for one in iterated.keywords)
    return name in _ENDLESS and not (name == "repeat" and times)


def is_long(iterated: ast.expr) -> bool:
    """``range(10**6)``: of so many turns that nobody waits for them."""
    if not isinstance(iterated, ast.Call) or called(iterated) != "range" or not iterated.args:
        return False
    last = iterated.args[0 if len(iterated.args) == 1 else 1]
    if not isinstance(last, ast.BinOp) or not isinstance(last.op, ast.Pow | ast.Mult):
        return _small(last) >= _LONG
    left, right = _small(last.left), _small(last.right)
    if isinstance(last.op, ast.Mult):
        return left * right >= _LONG
    return left > 1 and left ** min(right, _DIGITS) >= _LONG


def _small(node: ast.expr) -> int:
    """The number that it is, as far as matters; 0 for anything else."""
    value = node.value if isinstance(node, ast.Constant) else 0
    return min(value, _LONG) if isinstance(value, int) and value > 0 else 0


def default_of(node: ast.expr) -> ast.expr | None:
    """What a default stands for: itself, or what ``field(default_factory=…)`` and its kin give."""
    if not isinstance(node, ast.Call) or called(node) not in _FIELDS:
        return node
    given = [keyword.value for keyword in node.keywords if keyword.arg in _GIVEN_BY]
    made = given[0] if given else node.args[0] if node.args else None
    return made.body if isinstance(made, ast.Lambda) else made


def fields_of(node: ast.expr) -> list[str]:
    """The fields of ``namedtuple("Name", "one two")``, or of a list of them."""
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return []
    listed = node.args[1]
    items = listed.elts if isinstance(listed, ast.List | ast.Tuple) else [listed]
    texts = [one.value for one in items if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return [name for text in texts for name in text.replace(",", " ").split()]


def option_of(node: ast.Call) -> tuple[str, ast.expr] | None:
    """The name and the default of an option: ``add_argument("-p", "--path", default="/srv")``."""
    default: ast.expr | None = None
    name = ""
    for keyword in node.keywords:
        if keyword.arg == "default":
            default = keyword.value
        elif keyword.arg == "dest" and isinstance(keyword.value, ast.Constant):
            name = str(keyword.value.value)
    if default is None:
        return None
    flags = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    longest = max(flags, key=len, default="")
    plain = [flag for flag in flags if flag.isidentifier()]  # click lets a name stand beside the flags
    name = name or (plain[0] if plain else longest.split("/")[0].lstrip("-").replace("-", "_"))
    return (name, default) if name.isidentifier() else None
