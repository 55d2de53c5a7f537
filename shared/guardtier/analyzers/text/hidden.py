"""Characters that hide what a text says: bidi controls, zero-width, tags, selectors, annotations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from guardtier.analyzers.text.fields import Text
from guardtier.analyzers.text.homoglyphs import homoglyphs_in
from guardtier.analyzers.text.places import Place
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

_HIGH, _MEDIUM = SecurityRisk.HIGH, SecurityRisk.MEDIUM
_RUNS = frozenset({Place.NAME, Place.PARSED, Place.ARGUMENT})


def _span(*blocks: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(code) for first, last in blocks for code in range(first, last + 1))


_OVERRIDES = frozenset("\u202d\u202e")
_TURNS = frozenset("\u202a\u202b\u2066\u2067\u2068")
_ANNOTATIONS = frozenset("\ufff9\ufffa\ufffb")
_TAGS = _span((0xE0000, 0xE007F))
_SELECTORS = _span((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_ZERO_WIDTH = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\ufeff\uffa0") | _span(
    (0x180B, 0x180E), (0x200B, 0x200F), (0x2060, 0x2065), (0x206A, 0x206F)
)

_ZERO_WIDTH_CLASS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f\u3164"
    "\ufeff\uffa0"
)
_TAGS_CLASS = "\U000e0000-\U000e007f"
_SELECTORS_CLASS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"

#: A tag sequence behind a black flag spells a region in few letters, and ends in CANCEL TAG.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e007a]{3,7}\U000e007f")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_KEYCAPS = frozenset("0123456789#*")


def _in_rtl(text: str, start: int, end: int) -> bool:
    """Marks of direction before prose that is written from right to left."""
    return _RTL.search(text, end, end + 200) is not None


def _flag(text: str, start: int, end: int) -> bool:
    return _FLAG.match(text, max(start - 1, 0)) is not None


def _usual(text: str, start: int, end: int) -> bool:
    """A keycap, 1️⃣: digit, selector, circle; or the byte order mark at the start of a file's content."""
    if end - start != 1:
        return False
    if text[start] == "\ufe0f":
        return text[start - 1 : start] in _KEYCAPS
    return text[start] == "\ufeff" and (
        start == 0 or text[start - 1] == "\n" == text[start - 3 : start - 2]
    )


class _Shape(NamedTuple):
    """A way of hiding, as a pattern of ``re`` that takes linear time."""

    chars: frozenset[str]  #: a text without any of these is not searched
    pattern: re.Pattern[str]
    message: str
    runs: SecurityRisk
    prose: SecurityRisk | None  #: in the content of files and in what is searched for
    honest: Callable[[str, int, int], bool] | None = None


_SHAPES = (
    _Shape(
        _OVERRIDES,
        re.compile("[\u202d\u202e]"),
        "Holds characters that reverse the reading direction: it does not read as what it is.",
        _HIGH,
        _MEDIUM,
    ),
    _Shape(
        _TURNS,
        re.compile("[\u202a\u202b\u2066-\u2068]"),
        "Holds characters that change the reading direction: it may not read as what it is.",
        _HIGH,
        None,
        _in_rtl,
    ),
    _Shape(
        _ZERO_WIDTH | _SELECTORS,
        # Between ASCII: emoji are joined, and Persian, Indic and Thai words parted, by the same characters.
        re.compile(rf"(?<![^\x00-\x7f])[{_ZERO_WIDTH_CLASS}{_SELECTORS_CLASS}]++(?![^\x00-\x7f])"),
        "Holds invisible characters inside or beside its words: it does not read as what it is.",
        _HIGH,
        _MEDIUM,
        _usual,
    ),
    _Shape(
        _ZERO_WIDTH,
        re.compile(rf"[{_ZERO_WIDTH_CLASS}]{{3}}"),
        "Holds a run of invisible characters, which may carry a message.",
        _HIGH,
        _HIGH,
    ),
    _Shape(
        _TAGS,
        re.compile(rf"(?<![{_TAGS_CLASS}])[{_TAGS_CLASS}]+"),
        "Holds tag characters, which nobody sees and a model reads.",
        _HIGH,
        _HIGH,
        _flag,
    ),
    _Shape(
        _SELECTORS,
        re.compile(rf"[{_SELECTORS_CLASS}]{{2}}"),
        "Holds a run of variation selectors, which may carry a message.",
        _HIGH,
        _HIGH,
    ),
    _Shape(
        _ANNOTATIONS,
        re.compile("[\ufff9-\ufffb]"),
        "Holds annotation characters, which hide text.",
        _HIGH,
        _MEDIUM,
    ),
)


class _Says(NamedTuple):
    id: str
    risk: SecurityRisk
    shown: str


def hidden_in(text: Text) -> Iterator[Finding]:
    """One finding a shape, at most, and one of homoglyphs. Call it for text that is not ASCII."""
    chars = text.normal.chars
    for shape in _SHAPES:
        if not shape.chars.isdisjoint(chars):
            found = _worst(shape, text)
            if found:
                yield found
    yield from homoglyphs_in(text)


def _worst(shape: _Shape, text: Text) -> Finding | None:
    """The first in what runs, else the first."""
    raw, at, first = text.raw, 0, None
    while match := shape.pattern.search(raw, at):
        start, end = match.span()
        at = end
        if shape.honest is not None and shape.honest(raw, start, end):
            continue
        index = text.index_at(start)
        risk = shape.runs if text.parts[index].place in _RUNS else shape.prose
        if risk is not None and (first is None or risk is _HIGH):
            offset = text.starts[index]
            says = _Says("text.hidden", risk, f"{shape.message} (ATT&CK T1027)")
            first = text.finding(says, index, start - offset, end - offset)
        if risk is _HIGH or index + 1 == len(text.starts):
            return first
        at = text.starts[index + 1]
    return first
