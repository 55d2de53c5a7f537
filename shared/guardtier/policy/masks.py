"""Masks: which of many rules a value satisfies, as one integer with a bit for each rule.

To look up a mask for each fact and to AND them takes about the same time for 10 rules and for 2,000.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from guardtier.policy.globs import Matches, matcher

MOST = 4096  #: values remembered of one kind; agents can invent more, so they are forgotten then
LONGEST = 256  #: characters of one that is remembered

_Ends = dict[int, dict[str, int]]  #: by length: the beginnings (or ends) of that length, and their rules


class GlobMasks:
    """The rules whose globs of one kind (fleet, tool, finding …) match a text.

    Texts without a star, those with one at the end, and those with one at the beginning are looked up;
    only globs of another form are tried one by one. Of several texts one is enough for a rule, but for
    those in ``each``, which must match each of them.
    """

    def __init__(self, rows: Iterable[tuple[Sequence[str] | None, int]], *, each: int = 0) -> None:
        self.free = 0  #: the rules that do not ask
        self._exact: dict[str, int] = {}
        self._heads: _Ends = {}
        self._tails: _Ends = {}
        others: dict[str, int] = {}
        for globs, bit in rows:
            self.free |= bit if globs is None else 0
            for glob in globs or ():
                table, key = self._place(glob) or (others, glob)
                table[key] = table.get(key, 0) | bit
        self._others: list[tuple[Matches, int]] = [(matcher(glob), bits) for glob, bits in others.items()]
        self._seen: dict[str, int] = {}
        self.each = each & ~self.free  #: those that ask, and must match each text

    def _place(self, glob: str) -> tuple[dict[str, int], str] | None:
        """Where a glob can be looked up; None where it can't."""
        head, star, tail = glob.partition("*")
        if not star:
            return self._exact, glob
        if not tail:
            return self._heads.setdefault(len(head), {}), head
        if not head and "*" not in tail:
            return self._tails.setdefault(len(tail), {}), tail
        return None

    def hits(self, text: str) -> int:
        """The rules that ask, and match. Texts that come again are remembered."""
        found = self._seen.get(text)
        if found is None:
            found = self._found(text, -1)
            if len(self._seen) >= MOST:
                self._seen.clear()
            if len(text) <= LONGEST:
                self._seen[text] = found
        return found

    def of(self, text: str | None) -> int:
        """The rules that match, or do not ask. None matches no glob."""
        return self.free if text is None else self.free | self.hits(text)

    def narrowed(self, mask: int, text: str | None) -> int:
        """Those rules of ``mask`` that match, or do not ask.

        For texts that hardly come twice (agents, conversations): nothing is remembered.
        """
        asking = mask & ~self.free
        if not asking or text is None:
            return mask & self.free
        return mask & (self.free | self._found(text, asking))

    def among(self, texts: Iterable[str]) -> int:
        """The rules that match one of the texts, or each of them (``each``), or that do not ask."""
        found, missed = self.free, 0
        for text in texts:
            hits = self.hits(text)
            found |= hits
            missed |= self.each & ~hits
        return found & ~missed

    def _found(self, text: str, asking: int) -> int:
        found = self._exact.get(text, 0)
        for length, heads in self._heads.items():
            found |= heads.get(text[:length], 0)
        for length, tails in self._tails.items():
            found |= tails.get(text[-length:], 0)
        for matches, bits in self._others:
            if bits & asking and matches(text):
                found |= bits
        return found


def bits_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
