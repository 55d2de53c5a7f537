"""Difference: what an approver made of the arguments that an agent asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from guardtier_workers.console.show.folding import folded
from guardtier_workers.console.show.marked import Mark, Piece
from guardtier_workers.console.show.values import Value, flat

MOST: Final = 50  #: changes that are shown
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
MOST_WORDS: Final = 1_500  #: compared one by one; else all between the first and the last change


@dataclass(frozen=True, slots=True)
class Changed:
    """One argument that is not as it was. None: it was not there, or it is not there any more."""

    label: str
    was: list[Piece] | None
    now: list[Piece] | None


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[Changed], int]:
    """The arguments that differ, in the order of those that will run; and how many more there are."""
    old, new = flat(was), flat(now)
    labels = [*new, *(label for label in old if label not in new)]
    differ = [label for label in labels if old.get(label) != new.get(label)]
    shown = [_changed(label, old.get(label), new.get(label)) for label in differ[:MOST]]
    return shown, len(differ) - len(shown)


def _changed(label: str, was: Value | None, now: Value | None) -> Changed:
    if was is None or now is None:
        return Changed(label, folded(was.text) if was else None, folded(now.text) if now else None)
    gone, come = _marks(was.text, now.text)
    return Changed(label, folded(was.text, gone), folded(now.text, come))


def _marks(was: str, now: str) -> tuple[list[Mark], list[Mark]]:
    """What is gone from the one, and what has come in the other."""
    gone: list[Mark] = []
    come: list[Mark] = []
    for first, last, start, end in _spans(was, now):
        if first < last:
            gone.append(Mark(0, "removed", first, last))
        if start < end:
            come.append(Mark(0, "added", start, end))
    return gone, come


def _spans(was: str, now: str) -> Iterator[tuple[int, int, int, int]]:
    head = _alike(was, now)
    tail = _alike(was[head:][::-1], now[head:][::-1])
    old, new = was[head : len(was) - tail], now[head : len(now) - tail]
    old_words, new_words = _cut(old), _cut(new)
    if old_words is None or new_words is None:
        yield head, head + len(old), head, head + len(new)
        return
    old_at, new_at = _places(old_words, head), _places(new_words, head)
    matcher = SequenceMatcher(None, old_words, new_words, autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what != "equal":
            yield old_at[a], old_at[b], new_at[c], new_at[d]


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _cut(text: str) -> list[str] | None:
    """Its words; None where there are too many."""
    if len(text) > MOST_WORDS * 20:
        return None
    words = _WORDS.findall(text)
    return words if len(words) <= MOST_WORDS else None


def _places(words: list[str], start: int) -> list[int]:
    places = [start]
    for word in words:
        places.append(places[-1] + len(word))
    return places
