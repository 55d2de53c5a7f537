"""Board: what is parked, in memory, brought up to date by the audit streams."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from itertools import islice

from guardtier.look import Me
from guardtier.state import State
from guardtier.store.connection import AnyRedis
from guardtier.store.records import Record
from guardtier_workers.console.board.change import Change, Ended, Step
from guardtier_workers.console.board.feeds import Feed, Feeds
from guardtier_workers.console.board.filters import Filter
from guardtier_workers.console.board.follower import Follower
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.board.rows import Rows
from guardtier_workers.console.board.shelf import Shelf
from guardtier_workers.ending import end

log = logging.getLogger(__name__)

MOST = 50_000  #: actions in memory, about 3 kB each; of more, those with the nearest deadlines
TELL_SECONDS = 0.1  #: at most so often, pages are told what has changed
FLOOD, FLOOD_SECONDS = 20, 1.0  #: so many changes at once, and how often then


class Board:
    """Holds every fleet's parked actions: whoever shows some of it asks what the visitor sees."""

    def __init__(self, url: str, redis: AnyRedis, partitions: int, *, most: int = MOST) -> None:
        self._shelf = Shelf()
        self._feeds = Feeds(self.counts)
        self.rows = Rows()  #: as pages take them
        self._most = most
        self._parked = 0  # at the last comparison, of all fleets
        self._steps: dict[str, Step] = {}  # what pages have not been told yet
        self._has_steps = asyncio.Event()
        self.loaded = asyncio.Event()  #: everything that was parked at the start is there
        self._follower = Follower(
            url,
            redis,
            partitions,
            most=most,
            known=lambda: ((item.id, item.deadline) for item in self._shelf),
            on_record=self._on_record,
            on_ended=self._on_ended,
            on_loaded=self._on_loaded,
        )

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep it up to date until the block ends. It does not wait: see :attr:`loaded`."""
        tasks = (
            asyncio.create_task(self._follower.run(), name="board-follower"),
            asyncio.create_task(self._tell(), name="board-feeds"),
        )
        try:
            yield
        finally:
            self.end()
            self._follower.close()
            await end(tasks)

    @property
    def trouble(self) -> str | None:
        """Why it may be old; None where all is well."""
        return self._follower.trouble

    @property
    def is_live(self) -> bool:
        """Whether it shows what Redis has, but for a moment."""
        return self.loaded.is_set() and self.trouble is None

    @property
    def is_cut(self) -> bool:
        """Whether more is parked than is held here."""
        return self._parked > self._most

    def get(self, action_id: str) -> Item | None:
        """What is parked under an id, of any fleet."""
        return self._shelf.get(action_id)

    def items(self, wanted: Filter, me: Me) -> list[Item]:
        """All that the filter takes, the riskiest first, and of those the newest."""
        return list(self._taken(wanted, me))

    def page(
        self, wanted: Filter, me: Me, *, limit: int, after: tuple[int, int, str] | None = None
    ) -> tuple[list[Item], bool]:
        """The first ``limit`` behind an order (None: of all), and whether there are more."""
        found = list(islice(self._taken(wanted, me, after), limit + 1))
        return found[:limit], len(found) > limit

    def total(self, me: Me) -> int:
        """How many wait that this approver sees, whatever the filter."""
        return self._shelf.counts(me).total()

    def fleets(self, me: Me) -> list[str]:
        """The fleets that have something parked, of those that this approver sees."""
        return sorted(filter(me.sees, self._shelf.fleets()))

    def counts(self, me: Me) -> Mapping[str, int]:
        """The same by risk."""
        return {risk.value: number for risk, number in self._shelf.counts(me).items()}

    def changes(self, wanted: Filter, me: Me) -> AsyncIterator[Change]:
        """Every change from now on of what such a page shows, until the console ends."""
        return self._feeds.changes(wanted, me)

    def feed(self, wanted: Filter, me: Me) -> AbstractContextManager[Feed]:
        """The same, for whoever does something else while nothing changes."""
        return self._feeds.opened(wanted, me)

    def is_crowded(self, me: Me) -> bool:
        """Whether so many pages are open, of this approver or of all, that no more are let in."""
        return self._feeds.is_crowded(me)

    def end(self) -> None:
        """End the feeds of all pages: the console ends."""
        self._feeds.end()

    def _taken(self, wanted: Filter, me: Me, after: tuple[int, int, str] | None = None) -> Iterator[Item]:
        one = self.get(wanted.id)
        found = ([one] if one else []) if wanted.id else self._shelf.ordered(after)
        return (item for item in found if wanted.takes(item, me) and (after is None or item.order > after))

    def _on_record(self, action_id: str, record: Record | None) -> None:
        if record is None:
            self._drop(Ended(action_id, "gone"))
        elif record.state is not State.PARKED:
            by = record.verdict.decided_by[-1:] if record.verdict is not None else ()
            self._drop(Ended(action_id, record.state.value, "".join(by)))
        elif action_id in self._shelf or len(self._shelf) < self._most:
            item = Item.of(record)
            before = self._shelf.put(item)
            if item != before:
                self._changed(action_id, before, item)

    def _on_ended(self, action_id: str, state: str, by: str) -> None:
        self._drop(Ended(action_id, state, by))

    def _drop(self, ended: Ended) -> None:
        before = self._shelf.drop(ended.id)
        if before is not None:
            self._changed(ended.id, before, None, ended)

    def _changed(
        self, action_id: str, before: Item | None, after: Item | None, ended: Ended | None = None
    ) -> None:
        if not self.loaded.is_set():
            return
        earlier = self._steps.pop(action_id, None)
        first = earlier.before if earlier else before
        if first is not None or after is not None:
            self._steps[action_id] = Step(first, after, ended)
            self._has_steps.set()

    def _on_loaded(self, parked: int) -> None:
        self._parked = parked
        if not self.loaded.is_set():
            self.loaded.set()
            self._feeds.tell_to_reload()

    async def _tell(self) -> None:
        """The first change at once; what follows it, together."""
        while True:
            await self._has_steps.wait()
            self._has_steps.clear()
            steps, self._steps = self._steps, {}
            try:
                self._feeds.tell(list(steps.values()))
            except Exception:
                log.exception("open pages can't be told what has changed: they load anew")
                self._feeds.tell_to_reload()
            await asyncio.sleep(TELL_SECONDS if len(steps) < FLOOD else FLOOD_SECONDS)
