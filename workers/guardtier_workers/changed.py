"""Changed: what an edit makes of an action's arguments, line by line, safe to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

import orjson

from guardtier_workers.cli.safe_text import shortened

CONTEXT = 3  #: unchanged lines shown around a changed one
MOST_LINES = 500  #: of all changes
WIDE = 500  #: characters of a line
COMPARED = 2000  #: lines of one argument, before and after: difflib takes time by their square

_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Line by line what an edit changes, each line safe to print; of what stays, only what is around."""
    for name in sorted({*before, *after}):
        was, now = _lines(before, name), _lines(after, name)
        if was == now:
            continue
        yield f"  {shortened(name, WIDE)}:"
        if len(was) + len(now) > COMPARED:
            yield f"    changed from {len(was)} to {len(now)} lines: too many to compare"
            continue
        for line in list(unified_diff(was, now, n=CONTEXT, lineterm=""))[2:]:
            yield f"    {line[0]} {shortened(line[1:], WIDE)}" if line[0] != "@" else "    …"


def _lines(arguments: Mapping[str, Any], name: str) -> list[str]:
    """A text keeps its lines, since a changed second line is what one must see. No argument: no line."""
    if name not in arguments:
        return []
    value = arguments[name]
    if isinstance(value, str):
        return value.split("\n")
    return [f"(JSON) {line}" for line in orjson.dumps(value, option=_INDENTED).decode().split("\n")]
