"""Editable: an action's arguments as fields of a form; sent unchanged, they are the same, exactly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from guardtier_workers.cli.safe_text import safe, safe_lines

MOST = 40  #: fields; of more arguments than that, all are one field
MOST_ROWS = 24  #: of a field, before it scrolls

_NOT_ASCII = re.compile(r"[^\n -~]")


@dataclass(frozen=True, slots=True)
class Field:
    """One argument. ``name`` is its JSON. ``text``: the string itself where ``kind`` is text, else JSON in
    which nothing is hidden. A form changes ``\\r`` and what is not a character, so that goes as JSON.
    """

    name: str
    label: str
    kind: Literal["text", "json"]
    text: str

    @property
    def rows(self) -> int:
        """Lines that the field shows."""
        lines = sum(1 + len(line) // 80 for line in self.text[:10_000].split("\n"))
        return max(2, min(lines, MOST_ROWS))


def fields_of(arguments: Mapping[str, Any]) -> list[Field]:
    """A field for each argument, the command first; none where there are too many of them."""
    if len(arguments) > MOST:
        return []
    names = sorted(arguments, key=lambda name: name != "command")
    return [_field(name, arguments[name]) for name in names]


def _field(name: str, value: Any) -> Field:
    literal, label = shown_json(name), safe(name)
    if isinstance(value, str) and _is_plain(value):
        return Field(literal, label, "text", value)
    return Field(literal, label, "json", shown_json(value))


def _is_plain(text: str) -> bool:
    """Whether a reader sees every character of it in a form."""
    spaced = text.replace("\t", " ")
    return safe_lines(spaced) == spaced


def shown_json(value: Any) -> str:
    """JSON, indented; what can't be seen in it is written as its escape."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    if safe_lines(text) == text:
        return text
    spelled = _NOT_ASCII.sub(
        lambda found: _escape(found[0]) if safe(found[0]) != found[0] else found[0], text
    )
    return (
        spelled if safe_lines(spelled) == spelled else _NOT_ASCII.sub(lambda found: _escape(found[0]), text)
    )


def _escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
