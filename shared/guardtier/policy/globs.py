"""Globs: texts in which ``*`` stands for any characters, none included. Every other character is itself."""

from __future__ import annotations

import re
from collections.abc import Callable

#: Whether a text matches.
Matches = Callable[[str], bool]

_PATTERN = re.compile(r"[*?]|\[.+\]", re.DOTALL)
#: Of a path that a shell expands: any number of characters, one of some, any one, or itself. None is ``/``.
_PIECES = re.compile(r"\*+|(\[[!^]?\]?[^\]/]*+\])|.", re.DOTALL)


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


def is_pattern(path: str) -> bool:
    """Whether a shell would expand this path: to which ones, only the machine knows where it runs."""
    return _PATTERN.search(path) is not None and "://" not in path


def may_expand_to(path: str, glob: str) -> bool:
    """Whether a shell may expand this path to one that the glob matches. Time: linear in the path.

    All places in the glob where the path may have led so far, a bit for each.
    """
    glob = re.sub(r"\*+", "*", glob)
    places: dict[str, int] = {"*": 0}
    for at, one in enumerate(glob):
        places[one] = places.get(one, 0) | 1 << at
    stars = places["*"]
    steps = (1 << len(glob)) - 1 & ~places.get("/", 0)  # for any character of a name
    here = _past_stars(1, stars)
    for match in _PIECES.finditer(path):
        piece = match[0]
        if piece[0] == "*":
            here = _past_stars(_spread(here, steps), stars)
        else:
            along = steps & ~stars if match[1] or piece == "?" else places.get(piece, 0) & ~stars
            here = _past_stars(here & stars | (here & along) << 1, stars)
    return bool(here >> len(glob) & 1)


def _past_stars(here: int, stars: int) -> int:
    return here | (here & stars) << 1


def _spread(here: int, steps: int) -> int:
    """All places that can be reached by any number of these steps."""
    width = 1
    while steps:
        here |= (here & steps) << width
        steps &= steps >> width
        width *= 2
    return here


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
