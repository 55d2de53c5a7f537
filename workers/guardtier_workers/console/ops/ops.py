"""Ops: what the pages and endpoints about the tier itself ask, and what keeps it up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from guardtier.look import Me
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import all_keys
from guardtier_workers.console.board.board import Board
from guardtier_workers.console.board.filters import Filter
from guardtier_workers.console.ops.details import Detail, Details
from guardtier_workers.console.ops.onward import Onward
from guardtier_workers.console.ops.readings import SAMPLE_SECONDS, Kept, Readings
from guardtier_workers.console.ops.tally import Tally
from guardtier_workers.console.ops.waiting import Waiting, waiting_by_fleet
from guardtier_workers.ending import end

#: Whom everything is shown: what is read for all is filtered for each.
EVERYTHING: Final = Me(name="console", principal="console", fleets=("*",), may=("see",))

log = logging.getLogger(__name__)


class Ops:
    """``readings`` are of this moment, ``tally`` counts from when this console started."""

    def __init__(self, url: str, redis: AnyRedis, settings: Settings, board: Board) -> None:
        self._board = board
        self._waiting = Kept(self._read_waiting)
        self.readings = Readings(redis, settings.partitions, list(settings.pools), settings.arq_url or url)
        self._details = Details(redis, settings.partitions, self._on_detail)
        self.tally = Tally(self._details.ask)
        self.started = asyncio.Event()  #: from now on every line is counted
        self._tails = [Onward(url, keys.audit, self.tally.line) for keys in all_keys(settings.partitions)]

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep it up to date until the block ends. It does not wait for Redis."""
        tasks = [
            asyncio.create_task(self._follow(), name="ops-tally"),
            asyncio.create_task(self._details.run(), name="ops-details"),
            asyncio.create_task(self._sample(), name="ops-samples"),
        ]
        try:
            yield
        finally:
            await end(tasks)
            await asyncio.gather(*(tail.close() for tail in self._tails))

    async def waiting(self) -> Mapping[str, Waiting]:
        """What waits in each fleet: show only what the visitor sees."""
        return await self._waiting.get()

    async def _read_waiting(self) -> Mapping[str, Waiting]:
        return waiting_by_fleet(self._board.items(Filter(), EVERYTHING))

    async def _follow(self) -> None:
        await asyncio.gather(*(tail.start() for tail in self._tails))
        self.started.set()

    async def _sample(self) -> None:
        while True:
            try:
                await self.readings.sample()
            except Exception as error:  # Redis is away: the pages say so
                log.debug("no sample of the workers: %r", error)
            await asyncio.sleep(SAMPLE_SECONDS)

    def _on_detail(self, detail: Detail) -> None:
        if detail.event == "parked":
            self.tally.parked(detail.fleet, detail.risk, detail.failures)
        elif detail.received:
            self.tally.answered(detail.event, (detail.at - detail.received) / 1000)
