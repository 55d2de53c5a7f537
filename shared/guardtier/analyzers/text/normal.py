"""Folds text to what it looks like: compatibility forms, confusables, invisible characters, accents.

The folding goes character by character (NFKC of each, Unicode TR39's confusable that is ASCII,
without combining marks), so that a place in the folded text can be told in the original. ASCII stays
as it is and costs one look at a flag.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache, partial
from itertools import accumulate
from typing import NamedTuple

_LONGEST = 4  #: of what one character becomes, where that is not ASCII; some are phrases of eighteen
_FEW = 48  #: so many different characters are replaced one by one; measured faster than translate
_SHORT = 256  #: characters of a text for which translate is faster
_CHUNK = 4096  #: characters that are folded again to find a place in the original

#: Unicode's Default_Ignorable_Code_Point beyond the categories Cf, Mn and Me: fillers that show nothing.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


class _Table(dict[int, str]):
    """What each character becomes. Filled as characters are met: most of Unicode never is."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


def _folded(char: str) -> str:
    """What one character becomes; without another step, so that folding twice changes nothing.

    Upper case goes by its lower case, so that a text's lower case may be taken behind the folding.
    """
    if char.isascii():
        return char
    small = char.lower()
    if small != char and len(small) == 1:
        return _folded(small).upper()
    plain = unicodedata.normalize("NFKD", char)
    if len(plain) > _LONGEST and not plain.isascii():
        return char
    return unicodedata.normalize("NFC", "".join(map(_without_marks, plain)))


def _without_marks(char: str) -> str:
    if is_invisible(char) or unicodedata.category(char) in ("Mn", "Me"):
        return ""
    char = _confusables().get(char, char)
    return " " if char.isspace() and not char.isascii() else char


def is_invisible(char: str) -> bool:
    """Whether the character shows nothing: formats, bidi controls, tags, variation selectors."""
    code = ord(char)
    return (
        unicodedata.category(char) == "Cf"
        or char in _FILLERS
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0000 <= code <= 0xE0FFF
    )


_ascii_of: dict[str, str] = {}


def _confusables() -> dict[str, str]:
    """Characters that look like ASCII, from TR39 by the library confusable-homoglyphs (MIT).

    Loaded with the first text that is not ASCII: 15 ms. Of several ASCII look-alikes a letter or
    digit is taken, in lower case where the character itself is.
    """
    if not _ascii_of:
        from confusable_homoglyphs.confusables import confusables_data

        for char, alike in confusables_data.items():
            if len(char) == 1 and not char.isascii():
                targets = [one["c"] for one in alike if one["c"].isascii()]
                if targets:
                    _ascii_of[char] = min(targets, key=partial(_fit, char))
        _ascii_of.update(_MORE)
    return _ascii_of


def _fit(char: str, target: str) -> tuple[bool, bool, bool, str]:
    """Sorts the best look-alike first."""
    return (
        len(target) > 1,
        char.isalpha() and not target.isalpha(),
        char.isupper() != target.isupper(),
        target,
    )


#: Small capitals and the like that attacks use and TR39 lists elsewhere or not at all.
_MORE = dict(zip("ʀɪʜɴʟʙɢʏтнмкв∕⁄‐‑–−", "rihnlbgythmkb//----", strict=True))

_TABLE = _Table()


def fold(text: str) -> str:
    """The folded text. Text in ASCII comes back as it is."""
    return text if text.isascii() else _fold(text, changes_of(set(text)))


def folded_char(char: str) -> str:
    """What this character becomes."""
    return _TABLE[ord(char)]


#: Blocks whose characters decompose to ASCII: accented, letter-like, enclosed, mathematical, wide.
_BLOCKS = ((0xA0, 0x2C80), (0xA640, 0xABF0), (0xFF00, 0xFFF0), (0x1D400, 0x1D800), (0x1F100, 0x1F200))


@cache
def alike() -> frozenset[str]:
    """Every character that folds to what names and paths are made of in ASCII. Takes 50 ms, once."""
    chars = {chr(code) for block in _BLOCKS for code in range(*block)} | _confusables().keys()
    return frozenset(char for char in chars if not char.isascii() and _NAME.fullmatch(folded_char(char)))


_NAME = re.compile(r"[A-Za-z0-9_.\-/~+]+")


def changes_of(chars: set[str]) -> dict[str, str]:
    """Those of these characters that folding changes, and what they become."""
    return {char: folded for char in chars if (folded := _TABLE[ord(char)]) != char}


def _fold(text: str, changes: dict[str, str]) -> str:
    """The text with these changes; ``changes`` has to hold all of it that folding changes."""
    if not changes or text.isascii():
        return text
    if len(changes) > _FEW or len(text) < _SHORT:
        return text.translate(_TABLE)
    for char, folded in changes.items():
        text = text.replace(char, folded)
    return text


class Folded:
    """Strings as one folded text, and the way back to the originals.

    :attr:`data` is what RE2 reads: UTF-8. ``chars`` are the characters outside ASCII.
    """

    __slots__ = ("_between", "_folded", "_last", "_sizes", "_starts", "_strings", "chars", "data")

    def __init__(self, strings: list[str], between: str) -> None:
        self._strings = strings
        self._between = between
        self._folded: list[str] = strings
        self._starts: list[int] | None = None
        self._last: _Last | None = None
        self.chars: set[str] = set()
        whole = between.join(strings)
        if whole.isascii():
            self._sizes: list[int] | None = None  #: of the strings in bytes; None where they are characters
            self.data = whole.encode()
        else:
            self.chars = {char for char in set(whole) if not char.isascii()}
            changes = changes_of(self.chars)
            if whole.count("\x00") == between.count("\x00") * (len(strings) - 1):
                self._folded = _fold(whole, changes).split(between)
            else:
                self._folded = [_fold(one, changes) for one in strings]
            self.data = self._encoded()

    @property
    def plain(self) -> bool:
        """Whether all of it is ASCII."""
        return not self.chars

    def lowered(self) -> Folded:
        """The same strings in lower case."""
        twin = Folded.__new__(Folded)
        twin._strings, twin._between, twin.chars = self._strings, self._between, self.chars
        twin._last = None
        if self.chars:
            twin._starts = None
            twin._folded = [one.lower() for one in self._folded]
            twin.data = twin._encoded()
        else:
            twin._starts, twin._sizes, twin._folded = self._starts, None, self._folded
            twin.data = self.data.lower()
        return twin

    def spot(self, start: int, end: int) -> tuple[int, int, int]:
        """Which of the strings these bytes of :attr:`data` begin in, and the characters there."""
        index = self.index_at(start)
        first = self.starts[index]
        return index, *self.within(index, max(start - first, 0), max(end - first, 0))

    def index_at(self, start: int) -> int:
        """Which of the strings this byte belongs to; of what stands between two, the second."""
        index = max(bisect_right(self.starts, start) - 1, 0)
        behind = start >= self.end_of(index) and start > self.starts[index]
        return min(index + behind, len(self.starts) - 1)

    def end_of(self, index: int) -> int:
        """The byte behind a string's last."""
        last = index + 1 == len(self._strings)
        return len(self.data) if last else self.starts[index + 1] - len(self._between)

    def within(self, index: int, start: int, end: int) -> tuple[int, int]:
        """The characters of a string that these bytes of its folded form come from."""
        text = self._strings[index]
        if text.isascii():
            return min(start, len(text)), min(end, len(text))
        seen = self._last
        if seen is None or seen.which != index:
            seen = _Last(index, self.part(index), Origin(text))
        elif seen.byte > start:
            seen = seen._replace(byte=0, char=0)
        first = seen.char + len(seen.data[seen.byte : start].decode("utf-8", "replace"))
        self._last = seen._replace(byte=start, char=first)
        length = len(seen.data[start:end].decode("utf-8", "replace"))
        origin = seen.origin
        last = origin.of(first + length - 1) + 1 if length else origin.of(first)
        return origin.of(first), min(last, len(text))

    def part(self, index: int) -> bytes:
        """The folded form of one string."""
        return self.data[self.starts[index] : self.end_of(index)]

    @property
    def starts(self) -> list[int]:
        """The byte of :attr:`data` at which each string begins."""
        if self._starts is None:
            sizes = self._sizes if self._sizes is not None else map(len, self._strings)
            gap = len(self._between)
            self._starts = list(accumulate((size + gap for size in sizes), initial=0))[:-1]
        return self._starts

    def _encoded(self) -> bytes:
        """Lone surrogates have no UTF-8 and become question marks."""
        pieces = [one.encode("utf-8", "replace") for one in self._folded]
        self._sizes = [len(piece) for piece in pieces]
        return self._between.encode().join(pieces)


class _Last(NamedTuple):
    """The string that was asked about last, and the character that one of its bytes begins: who asks about
    many places, as redaction does, asks in their order. Measured: 2.2 s became 0.1 for 195 in 600 KB.
    """

    which: int
    data: bytes
    origin: Origin
    byte: int = 0
    char: int = 0


class Origin:
    """Tells where the characters of one folded string were."""

    def __init__(self, text: str) -> None:
        self._text = text
        chunks = (text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK))
        self._ends = list(accumulate(len(chunk.translate(_TABLE)) for chunk in chunks))

    def of(self, place: int) -> int:
        """Which character of the original the folded one at this place comes from."""
        chunk = bisect_right(self._ends, place)
        passed = self._ends[chunk - 1] if chunk else 0
        for at in range(chunk * _CHUNK, len(self._text)):
            passed += len(_TABLE[ord(self._text[at])])
            if passed > place:
                return at
        return len(self._text)
