"""Characters that a reader can't see, or would take for others: what each is called, and what it does."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple
from unicodedata import category, name, normalize

from guardtier.analyzers.text.normal import alike, fold


class Oddity(NamedTuple):
    """``label`` stands in the text, ``called`` and ``does`` where somebody asks."""

    label: str
    called: str
    does: str


#: All of them: one by one they say nothing.
TAGS: Final = Oddity("tags", "TAG CHARACTERS", "are not seen, and a language model reads them")


_CONTROLS: Final = {
    0x00: ("NULL", "ends the text for many programs"),
    0x07: ("BELL", "rings a terminal's bell, or ends a command to it"),
    0x08: ("BACKSPACE", "a terminal takes back what stands before it"),
    0x09: ("TAB", "separates words, and reads as spaces"),
    0x0A: ("LINE FEED", "begins a new line"),
    0x0B: ("VERTICAL TAB", "begins a new line for some programs"),
    0x0C: ("FORM FEED", "a terminal may clear the page"),
    0x0D: ("CARRIAGE RETURN", "a terminal writes what follows over the line"),
    0x1B: ("ESCAPE", "begins a command to a terminal: colours, moving, clearing"),
    0x7F: ("DELETE", "is not seen"),
    0x85: ("NEXT LINE", "begins a new line for some programs"),
    0x9B: ("CONTROL SEQUENCE INTRODUCER", "begins a command to a terminal"),
}
_TURNS: Final = "turns the direction of reading: what follows is shown in another order than it runs"
_MODEL_ONLY: Final = "is not seen, and a language model reads it"
_SELECTORS: Final = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
_BIDI: Final = frozenset([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_TAGS: Final = range(0xE0000, 0xE0080)


@cache
def oddity(char: str) -> Oddity:
    """What there is to say of one such character."""
    code = ord(char)
    label = f"U+{code:04X}"
    if code in _CONTROLS:
        return Oddity(label, *_CONTROLS[code])
    called = name(char, "") or _KINDS.get(category(char), "a character without a name")
    return Oddity(label, called, _does(code, category(char)))


_KINDS: Final = {
    "Cc": "a control character",
    "Co": "a private character",
    "Cn": "a character that does not exist",
    "Cs": "half of a character",
}


def _does(code: int, kind: str) -> str:
    if code in _BIDI:
        return _TURNS
    if code in _TAGS or any(first <= code <= last for first, last in _SELECTORS):
        return _MODEL_ONLY
    return _BY_KIND.get(kind, "is not seen")


_BY_KIND: Final = {
    "Zs": "looks like a space, and is none",
    **dict.fromkeys(("Zl", "Zp"), "begins a new line for some programs"),
    **dict.fromkeys(("Mn", "Me"), "climbs over the lines around it"),
    **dict.fromkeys(("Co", "Cn", "Cs"), "means nothing to a reader"),
    **dict.fromkeys(("Cf", "Lo", "Lm", "So"), "is not seen, and splits the word that it stands in"),
}


def tag_text(text: str) -> str:
    """What tag characters spell: each stands for one of ASCII. Empty where one of them stands for none."""
    spelled = [chr(ord(char) - 0xE0000) for char in text if 0xE0020 <= ord(char) < 0xE007F]
    return "".join(spelled) if len(spelled) == sum(ord(char) != 0xE007F for char in text) else ""


def is_tag(char: str) -> bool:
    return ord(char) in _TAGS


def poses(char: str) -> bool:
    """Whether it is a letter of another script that looks like one of ASCII. An accent makes none."""
    return char in alike() and not normalize("NFD", char)[0].isascii()


#: What parts an address, a path or a command in ASCII. Not the quotes and dashes of print: texts have them.
_PARTING: Final = frozenset("/\\.:@?#&;|$*=")


@cache
def parts(char: str) -> bool:
    """Whether it is no ASCII, and looks like a character that ends a host, a path or a command."""
    return not char.isascii() and fold(char) in _PARTING


@cache
def disguise(char: str) -> Oddity:
    """What there is to say of such a letter; its label is itself."""
    return Oddity(char, name(char, "a character without a name"), f"looks like {fold(char)}, and is none")
