"""Chain: how the lines of an audit stream hang together, and what is wrong where they don't.

``scripts/audit.lua`` chains them; this is the same once more, to check. Pure, no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha1

RECENT = 100_000  #: lines before, whose hashes are known: who comes twice within so many is known by it
MOST_MISSING = 100_000  #: places of missing lines that are remembered, should the lines come later

_END = re.compile(rb"([1-9][0-9]{0,15}) ([0-9a-f]{40}) ([0-9]{1,20}-[0-9]{1,20})")
_N, _H = re.compile(rb"[1-9][0-9]{0,15}"), re.compile(rb"[0-9a-f]{40}")

#: Fields and values of one line, in order: a mapping would hide one that stands there twice.
Pairs = Sequence[tuple[bytes, bytes]]


class Kind(StrEnum):
    """What may be wrong with a line."""

    CHANGED = "changed"  #: its hash is not that of what it says, behind what stands before it
    MISSING = "missing"  #: one or more lines are not there
    REORDERED = "reordered"  #: it stands behind a later one
    DUPLICATED = "duplicated"  #: it stands there twice
    INSERTED = "inserted"  #: another line has its number, or it has none
    RESTARTED = "restarted"  #: the chain begins anew behind it
    TRUNCATED = "truncated"  #: the stream ends before the chain does, or the other way round


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. ``n`` and ``entry`` name the line; 0 and "" where there is none."""

    kind: Kind
    n: int
    entry: str
    says: str


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: the last line's number, hash and entry."""

    n: int = 0
    h: str = ""
    entry: str = ""

    @classmethod
    def read(cls, kept: bytes | None) -> Link | None:
        """What the key says; None where there is none, or what it says is none."""
        found = _END.fullmatch(kept or b"")
        return cls(int(found[1]), found[2].decode(), found[3].decode()) if found else None

    def __str__(self) -> str:
        """As the key has it; "" where nothing stands before."""
        if not self.n:
            return ""
        return f"{self.n} {self.h} {self.entry}"


BEGINNING = Link()


def hash_of(before: Link, said: Pairs) -> str:
    """The hash of a line behind another, by its own fields (all but n and h)."""
    packed = [_packed(str(before).encode())]
    for name, value in said:
        packed += (_packed(name), _packed(value))
    return sha1(b"".join(packed), usedforsecurity=False).hexdigest()


def _packed(text: bytes) -> bytes:
    """A string in MessagePack, as Redis' cmsgpack writes it."""
    size = len(text)
    if size < 32:
        return bytes((0xA0 | size,)) + text
    if size <= 0xFF:
        return bytes((0xD9, size)) + text
    if size <= 0xFFFF:
        return b"\xda" + size.to_bytes(2, "big") + text
    return b"\xdb" + size.to_bytes(4, "big") + text


@dataclass(frozen=True, slots=True)
class Chained:
    """A line taken apart. ``link`` is None where it has no number and hash."""

    entry: str
    said: Pairs
    link: Link | None

    @classmethod
    def of(cls, entry: str, pairs: Pairs) -> Chained:
        if len(pairs) >= 2 and (pairs[-2][0], pairs[-1][0]) == (b"n", b"h"):
            n, h = pairs[-2][1], pairs[-1][1]
            if _N.fullmatch(n) and _H.fullmatch(h):
                return cls(entry, pairs[:-2], Link(int(n), h.decode(), entry))
        return cls(entry, pairs, None)


class Order:
    """Is given the links of one chain, in the order in which they stand, and says what is wrong with each.

    ``last`` is the link behind which the first one should stand: None where anything may be first, since
    old lines go. Memory is bounded: ``recent`` hashes (150 bytes each) and :data:`MOST_MISSING`.
    """

    def __init__(self, last: Link | None = None, *, recent: int = RECENT) -> None:
        self.last = last
        self._most_recent = recent
        self.first = 0  #: the number of the first link
        self._missing: dict[int, str] = {}  #: number → the entry before which it should stand
        self._recent: dict[int, str] = {}
        self._aside: Link | None = None  #: a line that did not belong there: another chain may begin by it

    def link(self, link: Link, follows: Callable[[Link], bool]) -> Iterator[Fault]:
        """What is wrong with the next one: nothing, in most cases. ``follows``: whether its hash is that of
        what it says, behind another.
        """
        if self.last is None and link.n > 1:
            self._goes_on(link)
        elif self._aside and link.n == self._aside.n + 1 and follows(self._aside):
            says = f"the chain goes on behind entry {self._aside.entry}, not behind line {self._end.n}"
            yield Fault(Kind.RESTARTED, link.n, link.entry, says)
            self._goes_on(link)
        elif link.n == self._end.n + 1:
            if not follows(self._end):
                says = "its hash fits neither what it says nor the line before it"
                yield Fault(Kind.CHANGED, link.n, link.entry, says)
            self._goes_on(link)
        elif link.n > self._end.n:
            yield from self._jumps(link)
        else:
            yield from self._goes_back(link, follows)

    def end(self) -> Iterator[Fault]:
        """What has been missing to the last: each run of lines once."""
        missing, self._missing = self._missing, {}
        for first, last in runs(sorted(missing)):
            entry = missing[first]
            yield Fault(Kind.MISSING, first, entry, f"{lines(first, last)} missing before {entry}")

    def hash_at(self, n: int) -> str | None:
        """The hash of a line before, while it is remembered."""
        return self._recent.get(n)

    @property
    def _end(self) -> Link:
        return self.last or BEGINNING

    def _goes_on(self, link: Link) -> None:
        self._aside = None
        self.first = self.first or link.n
        self.last = link
        self._recent[link.n] = link.h
        if len(self._recent) > self._most_recent:
            del self._recent[next(iter(self._recent))]

    def _jumps(self, link: Link) -> Iterator[Fault]:
        absent = range(self._end.n + 1, link.n)
        if len(self._missing) + len(absent) > MOST_MISSING:
            says = f"{lines(absent[0], absent[-1])} missing before {link.entry}"
            yield Fault(Kind.MISSING, absent[0], link.entry, says)
        else:
            self._missing.update(dict.fromkeys(absent, link.entry))
        self._goes_on(link)

    def _goes_back(self, link: Link, follows: Callable[[Link], bool]) -> Iterator[Fault]:
        known = self._recent.get(link.n)
        if self._missing.pop(link.n, None) is not None:
            says = f"line {link.n} stands behind line {self._end.n}"
            yield Fault(Kind.REORDERED, link.n, link.entry, says)
            self._recent[link.n] = link.h
        elif known == link.h:
            yield Fault(Kind.DUPLICATED, link.n, link.entry, f"line {link.n} stands there twice")
        elif link.n == 1 and follows(BEGINNING):
            says = "the chain begins anew: its end was lost, or the stream is another one"
            yield Fault(Kind.RESTARTED, 1, link.entry, says)
            self._goes_on(link)
        else:
            says = f"another line than before has the number {link.n}"
            yield Fault(Kind.INSERTED, link.n, link.entry, says)
            self._aside = link


class Checker(Order):
    """Is given the lines of one audit stream, in its order."""

    def __init__(self, last: Link | None = None, *, recent: int = RECENT) -> None:
        super().__init__(last, recent=recent)
        self.lines = 0
        self.unchained = 0  #: lines before the first chained one, from before there was a chain

    def line(self, entry: str, pairs: Pairs) -> Iterator[Fault]:
        """What is wrong with the next line."""
        self.lines += 1
        found = Chained.of(entry, pairs)
        if found.link is not None:
            n, h = found.link.n, found.link.h
            yield from self.link(
                found.link, lambda before: n == before.n + 1 and hash_of(before, found.said) == h
            )
        elif self.last is None:
            self.unchained += 1
        else:
            says = "it has no number and no hash: written by hand, or by a worker that knows no chain"
            yield Fault(Kind.INSERTED, 0, entry, says)

    def tail(self, kept: Link | None) -> Iterator[Fault]:
        """Whether the stream ends where its chain does. Ask Redis for both in one step."""
        last = self.last
        if kept is None or last is None:
            if last is not None and last.n:
                yield Fault(Kind.TRUNCATED, last.n, last.entry, "the chain's end is gone (gt:{p}:chain)")
            elif kept is not None:
                yield Fault(Kind.TRUNCATED, kept.n, kept.entry, f"all lines up to {kept.n} are gone")
        elif kept.n > last.n:
            says = f"{lines(last.n + 1, kept.n)} missing at the end: the chain goes to {kept.n}"
            yield Fault(Kind.TRUNCATED, last.n + 1, kept.entry, says)
        elif kept != last:
            says = f"the stream ends with line {last.n}, its chain with {kept.n} at entry {kept.entry}"
            yield Fault(Kind.TRUNCATED, last.n, last.entry, says)


def runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of numbers without a gap; they must be sorted."""
    first = last = 0
    for number in numbers:
        if first and number == last + 1:
            last = number
            continue
        if first:
            yield first, last
        first = last = number
    if first:
        yield first, last


def lines(first: int, last: int) -> str:
    """How a run of lines is called."""
    return f"line {first} is" if first == last else f"lines {first} to {last} are"
