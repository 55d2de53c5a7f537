"""Folding: of a long text its beginning, its end and what findings point at; the rest on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guardtier_workers.console.show.marked import Mark, Piece, pieces

WHOLE: Final = 12_000  #: characters of a text that is shown as a whole
SHORT: Final = 800  #: … where others have taken the room: of many texts
ROOM: Final = 48_000  #: characters of all texts of an action, before the others are short
HEAD: Final = 3_000  #: of a longer one, at its beginning
TAIL: Final = 1_000  #: … and at its end
AROUND: Final = 300  #: before and behind the beginning and the end of a finding's span
PART: Final = 50_000  #: that are loaded at once


def folded(text: str, marks: Sequence[Mark] = (), whole: int = WHOLE) -> list[Piece]:
    """The pieces of a text, with a piece of kind ``gap`` for each run of characters that is left out.

    One of more than ``whole`` characters is folded.
    """
    found: list[Piece] = []
    at = 0
    for start, end in _windows(len(text), marks, whole):
        if start > at:
            found.append(gap(at, start))
        found += pieces(text, marks, start, end)
        at = end
    return found


def part(text: str, marks: Sequence[Mark], start: int, end: int) -> list[Piece]:
    """What a gap stands for, or its first :data:`PART` characters and a smaller gap."""
    start, end = max(0, min(start, len(text))), max(0, min(end, len(text)))
    until = min(end, start + PART)
    found = list(pieces(text, marks, start, until))
    return [*found, gap(until, end)] if until < end else found


def gap(start: int, end: int) -> Piece:
    return Piece(f"{end - start:,}", "gap", start=start, end=end)


def _windows(length: int, marks: Sequence[Mark], whole: int) -> Iterator[tuple[int, int]]:
    """The runs of characters that are shown at once, in order and apart."""
    if length <= whole:
        yield 0, length
        return
    wanted = [(0, min(HEAD, whole // 4)), (length - min(TAIL, whole // 12), length)]
    for mark in marks:
        wanted += [(mark.start - AROUND, mark.start + AROUND), (mark.end - AROUND, mark.end + AROUND)]
    open_from, until = 0, 0
    for start, end in sorted((max(0, start), min(length, end)) for start, end in wanted):
        if start <= until:
            until = max(until, end)
        elif start < end:
            yield open_from, until
            open_from, until = start, end
    yield open_from, until
