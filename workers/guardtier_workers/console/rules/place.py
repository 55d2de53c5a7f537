"""Where in a policy file's text an error is: the line of what its ``field`` names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardtier.errors import ConfigError

_TOML = re.compile(r"\(at line (\d{1,9}), column (\d{1,9})\)")
_LISTS = ("rule", "test")
_HEAD = re.compile(r"\s*\[")


@dataclass(frozen=True, slots=True)
class Place:
    """Both count from 1; None where it can't be told."""

    line: int | None = None
    column: int | None = None


def place_of(error: ConfigError, text: str) -> Place:
    """TOML's own errors say it; for others the entry is looked for, and the key in it."""
    if found := _TOML.search(error.message):
        return Place(int(found[1]), int(found[2]))
    lines = text.splitlines()
    kind, _, rest = (error.field or "").partition(".")
    if kind in _LISTS:
        return _in_entry(lines, kind, rest)
    if kind == "fleet":
        name, _, key = rest.partition(".")
        return _in_block(
            lines, _starting(lines, rf"\s*\[\s*fleet\s*\.\s*\"?{re.escape(name)}\"?\s*[\].]"), key
        )
    return Place(_starting(lines, rf"\s*\"?{re.escape(kind)}\"?\s*=")) if kind else Place()


def _in_entry(lines: list[str], kind: str, rest: str) -> Place:
    """An entry of ``[[rule]]`` by its name, which may have dots; one without a name by its number."""
    heads = [at for at, line in enumerate(lines, 1) if re.match(rf"\s*\[\[\s*{kind}\s*\]\]", line)]
    for head in heads:
        for line in _block(lines, head):
            named = re.match(r"\s*name\s*=\s*[\"'](.*?)[\"']\s*(#.*)?$", lines[line - 1])
            if named and (rest == named[1] or rest.startswith(f"{named[1]}.")):
                return _in_block(lines, head, rest[len(named[1]) + 1 :])
    if (number := rest.partition(".")[0]).isdecimal() and 0 < int(number) <= len(heads):
        return _in_block(lines, heads[int(number) - 1], rest.partition(".")[2])
    return Place()


def _in_block(lines: list[str], head: int | None, path: str) -> Place:
    """The line of the path's first key below this head, else the head itself."""
    key = path.partition(".")[0]
    if head is None or not key:
        return Place(head)
    begins = re.compile(rf"\s*\"?{re.escape(key)}\"?\s*[=.]")
    return Place(next((at for at in _block(lines, head) if begins.match(lines[at - 1])), head))


def _block(lines: list[str], head: int) -> range:
    """The lines behind a head, up to the next one."""
    ends = head + 1
    while ends <= len(lines) and not _HEAD.match(lines[ends - 1]):
        ends += 1
    return range(head + 1, ends)


def _starting(lines: list[str], pattern: str) -> int | None:
    begins = re.compile(pattern)
    return next((at for at, line in enumerate(lines, 1) if begins.match(line)), None)
