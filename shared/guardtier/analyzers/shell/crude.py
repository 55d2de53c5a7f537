"""The scan that takes over where a text does not parse: every stretch between separators is a command."""

from __future__ import annotations

import re

from guardtier.analyzers.shell.syntax import Quoting, Raw, RawWord

#: What a scan looks at of one command.
WORDS = 200
LENGTH = 20_000

_WORD = re.compile(r"""[^\s'"<>$]+""")


def scanned(text: str, start: int, end: int, limit: int) -> tuple[list[Raw], bool]:
    """The commands of ``text[start:end]``, whatever quotes they stand in; and whether some are left out."""
    if limit <= 0:
        return [], start < end
    pieces = _pieces(text[start:end])
    cut = len(pieces) > limit
    found: list[Raw] = []
    pos = start
    for piece in pieces[:limit]:
        pos = text.find(piece, pos, end)
        raw = _command(piece, pos)
        cut = cut or len(piece) > LENGTH or len(raw.words) >= WORDS
        if raw.words:
            found.append(raw)
    return found, cut


def _command(piece: str, pos: int) -> Raw:
    raw = Raw(pos)
    raw.end = pos + len(piece)
    for word in _WORD.finditer(piece[:LENGTH]):
        raw.words.append(RawWord(pos + word.start(), pos + word.end(), Quoting.BARE))
        if len(raw.words) >= WORDS:
            break
    return raw


def _pieces(text: str) -> list[str]:
    """The different stretches between separators, in the order in which each comes first."""
    for separator in ";|&(){}`<":
        text = text.replace(separator, "\n")
    return [piece for piece in dict.fromkeys(text.split("\n")) if piece.strip()]
