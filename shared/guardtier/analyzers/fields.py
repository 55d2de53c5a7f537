"""Field: one string of an action and its path; and how all of them are collected."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

Span = tuple[int, int]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_KEY = 64  #: characters of a key in a finding's path; the rest is left out
_LONGEST_PATH = 512  #: behind this much, a path no longer grows: a deep one would be quadratic


class Field(NamedTuple):
    """One string of an action and its path, as findings name it (``arguments.command``).

    ``key`` is the nearest argument name, in lower case. ``exact`` is False where the text was put
    together (an argument list as a command line), so that no span of it stands in the action.
    """

    path: str
    text: str
    key: str = ""
    exact: bool = True

    def place(self, start: int, end: int) -> Span | None:
        """The span as a finding may give it: None where the text does not stand so in the action."""
        return (start, min(end, len(self.text))) if self.exact else None


def strings_in(arguments: dict[str, Any], root: str = "arguments") -> tuple[Field, ...]:
    """Every string in the values with its path, in order, however deep. Never raises."""
    found: list[Field] = []
    for key, value in arguments.items():
        if type(value) is str:  # nearly always: no generator, no stack
            text = value if value.isascii() else _sound(value)
            found.append(Field(f"{root}.{_cut(key)}", text, key.lower()))
        elif isinstance(value, dict | list):
            found.extend(_inside(value, f"{root}.{_cut(key)}", key.lower()))
    return tuple(found)


def _inside(value: Any, path: str, key: str) -> Iterator[Field]:
    """The strings in a nested value. A stack of our own: a deep one would overflow Python's."""
    stack: list[tuple[Any, str, str]] = [(value, path, key)]
    while stack:
        one, at, name = stack.pop()
        if isinstance(one, str):
            yield Field(at, _sound(one), name)
        elif isinstance(one, dict):
            children = [(child, _joined(at, inner), str(inner).lower()) for inner, child in one.items()]
            stack.extend(reversed(children))
        elif isinstance(one, list):
            yield from _as_command_line(one, at, name)
            stack.extend((one[index], _joined(at, index), name) for index in range(len(one) - 1, -1, -1))


def _as_command_line(values: list[Any], path: str, key: str) -> Iterator[Field]:
    """An argument list as the one line that it is."""
    if len(values) > 1 and all(isinstance(one, str) for one in values):
        yield Field(path, _sound(shlex.join(values)), key, exact=False)


def _sound(text: str) -> str:
    """Without lone surrogates, which no library can encode. As long as before: spans stay true."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def _joined(path: str, key: object) -> str:
    return path if len(path) > _LONGEST_PATH else f"{path}.{_cut(str(key))}"


def _cut(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
