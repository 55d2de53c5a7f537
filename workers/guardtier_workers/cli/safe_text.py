"""Untrusted text made safe to print: what a terminal would obey, or a reader can't see, is spelled out.

Agents write what people read here before they approve it. An escape sequence could rewrite the line
above, a bidi override could show `rm -rf /` backwards, a zero-width character could hide half a word.
So each of these is shown as its escape (``\\x1b``, ``\\u202e``), never sent to the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from unicodedata import category

import orjson

ELLIPSIS: Final = "…"

#: By their category: controls, formats (bidi, zero-width, tags), surrogates, private and unassigned,
#: line and paragraph separators. Spaces other than U+0020 too: they make two words out of one.
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})

#: Letters and marks by category, and yet nothing to be seen: fillers, joiners, variation selectors.
_HIDDEN_LETTERS: Final = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0]
    + [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PLAIN = re.compile(r"[ -~]*")
_GAP = re.compile(r" {16,}|\n{4,}")  #: in a row; the console folds the same
_LOOKED_AT = 64  #: times the width that a text may have
_MARKS_IN_A_ROW = 2  #: more combining marks on one letter than this climb over the lines around


def safe(text: object) -> str:
    """The text on one line, everything hidden spelled out. Printable text comes back unchanged."""
    shown = str(text)
    return shown if _PLAIN.fullmatch(shown) else "".join(_spelled(shown))


def safe_lines(text: object) -> str:
    """The same, but line breaks stay line breaks. For a place of its own, never within a line."""
    return "\n".join(safe(line) for line in str(text).split("\n"))


def without_gaps(text: str) -> str:
    """The text with its many spaces, or line breaks, in a row told by their number: they could push what
    follows out of sight, or to where a terminal begins its next line.
    """
    return _GAP.sub(_told_gap, text)


def _told_gap(found: re.Match[str]) -> str:
    count = len(found[0])
    return f"[{count} spaces]" if found[0][0] == " " else f"\n[{count - 1} empty lines]\n"


def shortened(text: object, width: int) -> str:
    """Safe, without gaps, and at most ``width`` characters, with ``…`` at the end where something is left
    out.
    """
    whole = str(text)
    raw = without_gaps(whole[: _LOOKED_AT * width])
    shown = safe(raw[: width + 1])
    if len(shown) <= width and len(raw) <= width and len(whole) <= _LOOKED_AT * width:
        return shown
    return shown[: max(width - 1, 0)] + ELLIPSIS


def quoted(text: str, span: tuple[int, int], *, around: int = 24) -> str:
    """The text of a span between » and «, with some of what stands around it."""
    start, end = max(0, min(span[0], len(text))), max(0, min(span[1], len(text)))
    end = max(start, end)
    before = safe(without_gaps(text[max(0, start - around) : start]))
    hit = shortened(text[start:end], 160)
    after = safe(without_gaps(text[end : end + around]))
    head = ELLIPSIS if start > around else ""
    tail = ELLIPSIS if end + around < len(text) else ""
    return f"{head}{before}»{hit}«{after}{tail}"


def json_text(value: Any) -> str:
    """JSON in printable ASCII, on one line: safe on a terminal, exact for a program."""
    text = orjson.dumps(value).decode()
    if text.isascii() and "\x7f" not in text:
        return text
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f")


def _spelled(text: str) -> Iterator[str]:
    marks = 0
    for char in text:
        kind = category(char)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if char == " " or not (_is_hidden(char, kind) or marks > _MARKS_IN_A_ROW):
            yield char
        else:
            yield _escape(char)


def is_hidden(char: str) -> bool:
    """Whether a reader can't see this character, or would take it for another: all that is spelled out."""
    return char != " " and _is_hidden(char, category(char))


def _is_hidden(char: str, kind: str) -> bool:
    return kind in _HIDDEN_CATEGORIES or ord(char) in _HIDDEN_LETTERS


def _escape(char: str) -> str:
    number = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
