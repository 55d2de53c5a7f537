"""Globs: texts in which ``*`` stands for any characters, none included. Every other character is itself."""

from __future__ import annotations

from collections.abc import Callable

#: Whether a text matches.
Matches = Callable[[str], bool]


def is_wild(glob: str) -> bool:
    return "*" in glob


def matcher(glob: str) -> Matches:
    """A test for one glob, in time linear in the text for each of its parts (no backtracking)."""
    first, *middle, last = glob.split("*") if is_wild(glob) else (glob, None)
    if last is None:
        return glob.__eq__
    parts = [part for part in middle if part]
    shortest = len(first) + len(last)
    if not parts and not last:
        return lambda text: text.startswith(first)
    if not parts:
        return lambda text: len(text) >= shortest and text.startswith(first) and text.endswith(last)

    def matches(text: str) -> bool:
        if len(text) < shortest or not (text.startswith(first) and text.endswith(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for part in parts:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return matches


def may_overlap(one: str, other: str) -> bool:
    """Whether a text may match both; True also where that can't be told (stars in both, in the middle)."""
    if not is_wild(one):
        return matcher(other)(one)
    if not is_wild(other):
        return matcher(one)(other)
    heads = (one.partition("*")[0], other.partition("*")[0])
    tails = (one.rpartition("*")[2], other.rpartition("*")[2])
    return _agree(*heads) and _agree(tails[0][::-1], tails[1][::-1])


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
