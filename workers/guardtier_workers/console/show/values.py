"""Values: the arguments of a call, one after the other, with the paths by which findings name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    found: list[Leaf] = []
    more = 0
    for keys, value in _walk(arguments):
        if len(found) < MOST:
            found.append(Leaf(len(found), _label(keys), _paths(keys), *_value(value)))
        else:
            more += 1
    return found, more


def flat(arguments: Mapping[str, Any]) -> dict[str, Value]:
    """Every leaf by its label; no two have the same."""
    return {_label(keys): _value(value) for keys, value in _walk(arguments)}


def as_json(arguments: Mapping[str, Any]) -> str:
    """All of it, indented."""
    return orjson.dumps(arguments, option=orjson.OPT_INDENT_2).decode()


def _walk(arguments: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    names = [name for name in _FIRST if name in arguments]
    names += [name for name in arguments if name not in _FIRST]
    waiting: list[tuple[Keys, Any]] = [((name,), arguments[name]) for name in names[::-1]]
    while waiting:
        keys, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting.extend(((*keys, key), value[key]) for key in reversed(value))
        elif isinstance(value, list) and value:
            waiting.extend(((*keys, at), value[at]) for at in range(len(value) - 1, -1, -1))
        else:
            yield keys, value


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
