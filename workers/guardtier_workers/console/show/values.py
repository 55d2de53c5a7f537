"""Values: the arguments of a call, one after the other, with the paths by which findings name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from guardtier.analyzers.text.parts import Path, shown

MOST: Final = 150  #: leaves that are shown one by one; all of them stand in the JSON
_FIRST: Final = ("command", "code", "script")  #: arguments that run, so they come first
_LONGEST_KEY: Final = 64  #: of a key in a path, as analyzers/fields.py cuts it
_LONGEST_PATH: Final = 512
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Keys = tuple[str | int, ...]


class Value(NamedTuple):
    """``text``: a string as it is, or any other value as JSON."""

    kind: str  #: string, number, boolean, null, empty list, empty object
    text: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that holds no other."""

    number: int
    label: str
    paths: frozenset[str]
    kind: str
    text: str


def leaves_of(arguments: Mapping[str, Any]) -> tuple[list[Leaf], int]:
    """The first :data:`MOST` leaves, and how many more there are."""
    first = islice(_walk(arguments), MOST)
    found = [Leaf(at, _label(keys), _paths(keys), *_value(value)) for at, (keys, value) in enumerate(first)]
    return found, _count(arguments) - len(found)


def flat(arguments: Mapping[str, Any]) -> dict[str, Value]:
    """Every leaf by its label; no two have the same."""
    return {_label(keys): _value(value) for keys, value in _walk(arguments)}


def text_at(arguments: Mapping[str, Any], path: str) -> str | None:
    """The string that a finding's path (``arguments.steps.3``) leads to, wherever it stands; or None."""
    value: Any = {"arguments": arguments}
    for step in path.split("."):
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return None
    return value if isinstance(value, str) else None


def as_json(arguments: Mapping[str, Any]) -> str:
    """All of it, indented."""
    return orjson.dumps(arguments, option=orjson.OPT_INDENT_2).decode()


def _walk(arguments: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """The leaves with their keys, one by one: what nobody asks for is not made."""
    names = [name for name in _FIRST if name in arguments]
    names += [name for name in arguments if name not in _FIRST]
    open_: list[tuple[Keys, Iterator[tuple[str | int, Any]]]] = [
        ((), ((name, arguments[name]) for name in names))
    ]
    while open_:
        keys, children = open_[-1]
        try:
            key, value = next(children)
        except StopIteration:
            open_.pop()
            continue
        if isinstance(value, dict) and value:
            open_.append(((*keys, key), iter(value.items())))
        elif isinstance(value, list) and value:
            open_.append(((*keys, key), iter(enumerate(value))))
        else:
            yield (*keys, key), value


def _count(arguments: Mapping[str, Any]) -> int:
    """How many leaves there are. A megabyte may hold half a million."""
    found = 0
    waiting: list[Any] = [arguments]
    while waiting:
        one = waiting.pop()
        children = one.values() if isinstance(one, dict) else one
        nested = [child for child in children if isinstance(child, dict | list) and child]
        found += len(children) - len(nested)
        waiting += nested
    return found


def _label(keys: Keys) -> str:
    return "".join(map(_step, keys)).removeprefix(".")


def _step(key: str | int) -> str:
    if isinstance(key, str) and _PLAIN.fullmatch(key):
        return f".{key}"
    return f"[{orjson.dumps(key).decode()}]"


def _paths(keys: Keys) -> frozenset[str]:
    """As the analyzers of commands and of texts name it: both cut what is long, in ways of their own."""
    joined = "arguments"
    path = Path("arguments")
    for key in keys:
        name = str(key)
        cut = name if len(name) <= _LONGEST_KEY else f"{name[:_LONGEST_KEY]}…"
        joined = joined if len(joined) > _LONGEST_PATH else f"{joined}.{cut}"
        path = Path(key, path)
    return frozenset((joined, shown(path)))


def _value(value: Any) -> Value:
    if isinstance(value, str):
        return Value("string", value)
    return Value(_kind(value), orjson.dumps(value).decode())


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = ((bool, "boolean"), (int | float, "number"), (list, "empty list"), (dict, "empty object"))
    return next(name for kind, name in kinds if isinstance(value, kind))
