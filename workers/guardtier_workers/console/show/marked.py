"""Marked text: an untrusted text in pieces, hidden characters named, findings marked at their spans.

A piece is text for a template, which escapes it. Joined, the pieces read as what will run, character by
character, in that order; what would not be seen stands there by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple
from unicodedata import category

from guardtier_workers.cli.safe_text import is_hidden
from guardtier_workers.console.show.characters import (
    TAGS,
    Oddity,
    disguise,
    is_tag,
    oddity,
    parts,
    poses,
    tag_text,
)

Kind = Literal["", "hidden", "alike", "line", "break", "gap"]

MANY_SPACES: Final = 16  #: in a row: more could push what follows out of sight
_MARKS: Final = 2  #: combining marks on one letter; more climb over the lines around
_LABEL: Final = 80  #: characters of what tags spell
_ODD = re.compile(rf" {{{MANY_SPACES},}}|\n{{4,}}|\n|[^ -~\n]+")
_WORD = re.compile(r"\w+")
_BETWEEN = re.compile(r"(?<=[!-~])[^\w\s\x00-\x7f]+(?=[!-~])")
_JOINED = re.compile(r"[./:@-][A-Za-z0-9]")
_ASCII_LETTER = re.compile(r"[A-Za-z]")


class Piece(NamedTuple):
    """``kind``: "" is text as it is; ``line`` ends a line, ``break`` is one within a line, ``gap`` has
    characters that are folded in its place.

    ``begins``: numbers of the findings whose span begins here; ``hits``: of all that it belongs to.
    ``start`` and ``end`` are places in the text.
    """

    text: str
    kind: Kind = ""
    title: str = ""
    hits: tuple[int, ...] = ()
    begins: tuple[int, ...] = ()
    risk: str = ""
    start: int = 0
    end: int = 0


class Mark(NamedTuple):
    """A finding's span. The marks of one text come with the riskiest first."""

    number: int
    risk: str
    start: int
    end: int


def pieces(
    text: str, marks: Sequence[Mark] = (), start: int = 0, end: int | None = None
) -> Iterator[Piece]:
    """The pieces of a part of a text. Marks may overlap; where one has no characters it is left out."""
    end = len(text) if end is None else min(end, len(text))
    within = [mark for mark in marks if mark.start < end and mark.end > start and mark.start < mark.end]
    edges = {start, end}
    for mark in within:
        edges |= {max(mark.start, start), min(mark.end, end)}
    posing = frozenset(_posing(text, start, end))
    for first, last in pairwise(sorted(edges)):
        over = [mark for mark in within if mark.start <= first and mark.end >= last]
        hits = tuple(sorted(mark.number for mark in over))
        begins = tuple(sorted(mark.number for mark in over if mark.start == first))
        risk = over[0].risk if over else ""
        for piece in _plain(text, first, last, posing):
            yield piece._replace(hits=hits, begins=begins, risk=risk) if over else piece
            begins = ()


def one_line(text: str, width: int = 300) -> list[Piece]:
    """The beginning of a text, with line breaks spelled out, for a place within a line."""
    found = [within_line(piece) for piece in pieces(text, end=width)]
    if len(text) > width:
        found.append(Piece("…"))
    return found


def within_line(piece: Piece) -> Piece:
    """The piece for a place where lines don't break."""
    return piece._replace(text="↵", kind="break") if piece.kind == "line" else piece


def _plain(text: str, start: int, end: int, posing: frozenset[int]) -> Iterator[Piece]:
    """Without marks."""
    at = start
    for odd in _ODD.finditer(text, start, end):
        if odd.start() > at:
            yield Piece(text[at : odd.start()], start=at, end=odd.start())
        at = odd.end()
        if odd[0][0] == "\n":
            yield from _breaks(odd.start(), at)
        elif odd[0][0] == " ":
            count = at - odd.start()
            yield Piece(f"{count} spaces", "hidden", "spaces in a row", start=odd.start(), end=at)
        else:
            yield from _foreign(text, odd.start(), at, posing)
    if at < end:
        yield Piece(text[at:end], start=at, end=end)


def _breaks(start: int, end: int) -> Iterator[Piece]:
    """One line break, or many of them in a row, which could push what follows out of sight."""
    yield Piece("\n", "line", start=start, end=start + 1)
    if end - start > 1:
        label = f"{end - start - 1} empty lines"
        yield Piece(label, "hidden", "line breaks in a row", start=start + 1, end=end - 1)
        yield Piece("\n", "line", start=end - 1, end=end)


def _foreign(text: str, start: int, end: int, posing: frozenset[int]) -> Iterator[Piece]:
    """Characters outside printable ASCII: as they are, or named where nobody would see them."""
    at, since = start, start
    while at < end:
        after = _run(text, at, end)
        if after == at and at not in posing:
            at += 1
            continue
        if since < at:
            yield Piece(text[since:at], start=since, end=at)
        if after > at:
            yield _named(text[at:after])._replace(start=at, end=after)
        else:
            after = at + 1
            yield Piece(text[at], "alike", _says(disguise(text[at])), start=at, end=after)
        at = since = after
    if since < end:
        yield Piece(text[since:end], start=since, end=end)


def _run(text: str, at: int, end: int) -> int:
    """Where the hidden characters of one kind that begin here end; ``at`` where none begin."""
    char = text[at]
    if category(char) in ("Mn", "Me") and not is_hidden(char):
        stacked = at - _MARKS >= 0 and all(category(c) in ("Mn", "Me") for c in text[at - _MARKS : at])
        return at + 1 if stacked else at
    if not is_hidden(char):
        return at
    after = at + 1
    tags = is_tag(char)
    while after < end and (is_tag(text[after]) if tags else text[after] == char):
        after += 1
    return after


def _named(run: str) -> Piece:
    if is_tag(run[0]):
        spelled = tag_text(run)
        label = f"tags: {spelled[:_LABEL]}" if spelled else f"{len(run)} tags"
        return Piece(label, "hidden", _says(TAGS))
    said = oddity(run[0])
    return Piece(said.label if len(run) == 1 else f"{said.label} ×{len(run)}", "hidden", _says(said))


def _says(said: Oddity) -> str:
    return f"{said.called}: {said.does}"


def _is_name(text: str, word: re.Match[str]) -> bool:
    """Whether a word of another script reads as an ASCII one, and is joined to ASCII, as in a host."""
    joined = text[max(0, word.start() - 1) : word.start()] in ("/", "@") or _JOINED.match(text, word.end())
    return bool(joined) and all(map(poses, word[0]))


def _posing(text: str, start: int, end: int) -> Iterator[int]:
    """Places of letters that look like ASCII ones, in words that have ASCII letters besides; and of what
    looks like ``/``, ``.`` or ``@``, with ASCII on both sides: another host is asked than one reads.
    """
    if text.isascii():
        return
    for word in _WORD.finditer(text, start, end):
        if not word[0].isascii() and (_ASCII_LETTER.search(word[0]) or _is_name(text, word)):
            yield from (word.start() + at for at, char in enumerate(word[0]) if poses(char))
    for found in _BETWEEN.finditer(text, start, end):
        yield from (found.start() + at for at, char in enumerate(found[0]) if parts(char))
