"""Masks: which of many rules a value satisfies, as one integer with a bit for each rule.

To look up a mask for each fact and to AND them takes the same time for 10 rules and for 2,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from guardtier.policy.globs import Matches, is_wild, matcher

MOST = 4096  #: values remembered of one kind; agents can invent more, so they are forgotten then


class GlobMasks:
    """The rules whose globs of one kind (fleet, tool, finding …) match a text."""

    def __init__(self, rows: Iterable[tuple[Sequence[str] | None, int]]) -> None:
        self.free = 0  #: the rules that do not ask
        self._exact: dict[str, int] = {}
        wild: dict[str, int] = {}
        for globs, bit in rows:
            if globs is None:
                self.free |= bit
                continue
            for glob in globs:
                table = wild if is_wild(glob) else self._exact
                table[glob] = table.get(glob, 0) | bit
        self._wild: list[tuple[Matches, int]] = [(matcher(glob), bits) for glob, bits in wild.items()]
        self._seen: dict[str, int] = {}

    def hits(self, text: str) -> int:
        """The rules that ask, and match."""
        found = self._seen.get(text)
        if found is None:
            found = self._exact.get(text, 0)
            for matches, bits in self._wild:
                if matches(text):
                    found |= bits
            if len(self._seen) >= MOST:
                self._seen.clear()
            if len(text) <= 256:
                self._seen[text] = found
        return found

    def of(self, text: str | None) -> int:
        """The rules that match, or do not ask. None matches no glob."""
        return self.free if text is None else self.free | self.hits(text)

    def narrowed(self, mask: int, text: str | None) -> int:
        """Those rules of ``mask`` that match, or do not ask.

        For texts that hardly come twice (agents, conversations): it looks at no glob of another rule.
        """
        asking = mask & ~self.free
        if not asking or text is None:
            return mask & self.free
        found = self._exact.get(text, 0)
        for matches, bits in self._wild:
            if bits & asking and matches(text):
                found |= bits
        return mask & (self.free | found)

    def any_of(self, texts: Iterable[str]) -> int:
        """The rules that one of the texts matches, or that do not ask."""
        found = self.free
        for text in texts:
            found |= self.hits(text)
        return found


def bits_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
