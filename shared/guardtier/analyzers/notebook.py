"""A notebook's cells: what of them goes to the shell, by magics, and what is left for Python."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from guardtier.analyzers.tools import tools

MAX_CELLS = 1000  #: of one notebook

#: A line of a notebook's cell that goes to the shell, or says which language the cell is in.
_GETS = r"(?:[\w.,\[\] \t]++=[ \t]*+)?"  # "files = !ls"
_MAGIC = re.compile(rf"^[ \t]*+{_GETS}[!%]", re.MULTILINE)
CELL = re.compile(r"\s*%%(\w+)[^\n]*\n?")
LINE = re.compile(
    rf"^[ \t]*+{_GETS}(!{{1,2}}|%s(?:ystem|x)\b|%(?=(?:rm|rmdir|cp|mv|mkdir|cat|pip|conda)\b))([^\n]*)$",
    re.MULTILINE,
)
_MAGIC_LINE = re.compile(rf"^[ \t]*+{_GETS}[!%][^\n]*$", re.MULTILINE)
#: A magic that runs the Python behind it, with the magic's own options.
_RUNS = re.compile(
    rf"^([ \t]*+)({_GETS}%%?(?:time|timeit|prun|memit|mprun|lprun|debug)"
    r"(?:[ \t]+-\w+(?:[ \t]+\d+(?=[ \t]))?)*[ \t]+)(?=\S)"
)
_REST_OF_LINE = re.compile(r"[^\n]+")


def cells_of(text: str) -> list[str]:
    """The code cells of a notebook's file; of anything else that text, which is then a cell's own."""
    if not text.lstrip().startswith("{"):
        return [text]
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return [text]
    found = []
    for cell in cells[:MAX_CELLS] if isinstance(cells, list) else ():
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source")
            lines = source if isinstance(source, list) else [source]
            found.append("".join(line for line in lines if isinstance(line, str)))
    return found


def cell_language(text: str) -> str | None:
    cell = CELL.match(text)
    return tools().language_of(cell[1]) if cell else None


def magics(text: str) -> str:
    """Only what a notebook hands to the shell; the rest is blank, so that spans stay true."""
    return _halves(text)[0]


@lru_cache(maxsize=1)
def _halves(text: str) -> tuple[str, str]:
    """What a notebook hands to the shell, and the rest. Kept, since one is asked for after the other."""
    lines = text.split("\n")
    unique = dict.fromkeys(lines)
    both = [{line: become(line) for line in unique} for become in (_magic, _without_magic)]
    shell, rest = ("\n".join(map(half.__getitem__, lines)) for half in both)
    return shell, rest


def _magic(line: str) -> str:
    found = LINE.match(line) if "!" in line or "%" in line else None
    return " " * len(line) if found is None else " " * found.start(2) + found[2]


def _blank(text: str) -> str:
    """As many characters, in as many lines."""
    return _REST_OF_LINE.sub(lambda rest: " " * len(rest[0]), text)


def blanked(text: str, start: int, end: int) -> str:
    return text[:start] + _blank(text[start:end]) + text[end:]


def without_magics(text: str) -> str:
    """The code of a cell without what Python can't read."""
    if ("%" not in text and "!" not in text) or not _MAGIC.search(text):
        return text
    return _halves(text)[1]


def _without_magic(line: str) -> str:
    if "!" not in line and "%" not in line:
        return line
    if found := _RUNS.match(line):
        return f"{found[1]}{'0;'.ljust(len(found[2]))}{line[found.end() :]}"
    return " " * len(line) if _MAGIC_LINE.match(line) else line
