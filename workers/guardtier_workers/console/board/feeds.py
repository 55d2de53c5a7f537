"""Feeds: tells open pages what changes, each what its visitor sees and its filter takes."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from guardtier.look import Me
from guardtier_workers.console.board.change import Change, Ended, Step
from guardtier_workers.console.board.filters import Filter
from guardtier_workers.console.board.item import Item

MOST_WAITING = 50  #: changes that one page has not taken yet; then it is told to load anew
MOST_ROWS = 100  #: of one change, 2 kB each; of more, a page loads those that it shows
MOST_OF_ONE = 50  #: open pages of one approver
MOST = 2_000  #: of all
Counts = Callable[[Me], Mapping[str, int]]


class Feed:
    """What one page has not been told yet."""

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._wake = asyncio.Event()
        self._ended = False

    def add(self, change: Change) -> None:
        """Never waits: a page that takes nothing loses what it has not taken, and is told so."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            change = Change((), (), change.total, change.counts, must_reload=True)
        elif self._waiting and self._waiting[-1].must_reload:
            self._waiting.pop()
            change = Change((), (), change.total, change.counts, must_reload=True)
        self._waiting.append(change)
        self._wake.set()

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    @property
    def has_ended(self) -> bool:
        return self._ended

    async def next(self, within: float) -> Change | None:
        """The next change; None where there is none within so many seconds, or where the feed has ended."""
        if not self._waiting and not self._ended:
            try:
                async with asyncio.timeout(within):
                    await self._wake.wait()
            except TimeoutError:
                return None
        self._wake.clear()
        return self._waiting.popleft() if self._waiting else None


class Feeds:
    """Pages with the same filter, of visitors who see the same fleets, share what is worked out."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._kinds: dict[tuple[Filter, frozenset[str]], tuple[Me, set[Feed]]] = {}
        self._open: Counter[str] = Counter()  # pages, by the approver's name
        self._ended = False

    def is_crowded(self, me: Me) -> bool:
        """Whether no more pages of this approver are let in."""
        return self._open[me.name] >= MOST_OF_ONE or self._open.total() >= MOST

    @contextmanager
    def opened(self, wanted: Filter, me: Me) -> Iterator[Feed]:
        """A feed of what changes from now on."""
        kind = (wanted, frozenset(me.fleets) if any(map(me.sees, me.fleets)) else frozenset())
        _, feeds = self._kinds.setdefault(kind, (me, set()))
        feed = Feed()
        feeds.add(feed)
        self._open[me.name] += 1
        if self._ended:
            feed.end()
        try:
            yield feed
        finally:
            feeds.discard(feed)
            self._open[me.name] -= 1
            if not self._open[me.name]:
                del self._open[me.name]
            if not feeds:
                self._kinds.pop(kind, None)

    async def changes(self, wanted: Filter, me: Me) -> AsyncIterator[Change]:
        """Every change from now on, until the console ends."""
        with self.opened(wanted, me) as feed:
            while not feed.has_ended:
                if change := await feed.next(within=60.0):
                    yield change

    def tell(self, steps: Sequence[Step]) -> None:
        for (wanted, _), (me, feeds) in self._kinds.items():
            if change := self._change(wanted, me, steps):
                for feed in feeds:
                    feed.add(change)

    def tell_to_reload(self) -> None:
        """What was told so far may be wrong: each page loads what it shows anew."""
        for me, feeds in self._kinds.values():
            counts = self._counts(me)
            for feed in feeds:
                feed.add(Change((), (), sum(counts.values()), counts, must_reload=True))

    def end(self) -> None:
        """The console ends, and every stream with it."""
        self._ended = True
        for _, feeds in self._kinds.values():
            for feed in feeds:
                feed.end()

    def _change(self, wanted: Filter, me: Me, steps: Sequence[Step]) -> Change | None:
        rows: list[Item] = []
        gone: list[Ended] = []
        is_seen = False
        for step in steps:
            is_seen = is_seen or _sees(me, step)
            if step.after is not None and wanted.takes(step.after, me):
                rows.append(step.after)
            elif step.before is not None and wanted.takes(step.before, me):
                gone.append(step.ended or Ended(step.before.id, "parked"))
        if not is_seen:
            return None
        counts = self._counts(me)
        too_many = len(rows) > MOST_ROWS
        return Change(() if too_many else rows, gone, sum(counts.values()), counts, must_reload=too_many)


def _sees(me: Me, step: Step) -> bool:
    return any(item is not None and me.sees(item.fleet) for item in (step.before, step.after))
