"""Following: keeps tally and index up to date with the audit streams, a bounded part at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError

from guardtier.store.connection import AnyRedis
from guardtier.store.keys import Keys, all_keys
from guardtier.store.trail import Line
from guardtier_workers.clock import now_ms
from guardtier_workers.console.story.index import Index
from guardtier_workers.console.story.tally import KEPT_MS, Tally
from guardtier_workers.ending import end

log = logging.getLogger(__name__)

_PAGE: Final = 500  #: lines of one round trip
_PAGES: Final = 40  #: of one partition and one look
_BACK: Final = 300_000  #: lines that are read after a start, of all partitions together
_EVERY_SECONDS: Final = 5.0
_BEHIND_MS: Final = 15 * 60_000  #: whoever is further behind begins anew
_BREATH_SECONDS: Final = 0.005  #: between two pages: there is a page to be served meanwhile


@dataclass(slots=True)
class _Place:
    """How far one partition was read. ``since``: from when on (ms); 0: from the beginning of the stream."""

    keys: Keys
    last: str = ""
    since: int = 0


class Following:
    """Tally and index, and what keeps them. ``trouble``: why it can't be brought up to date."""

    def __init__(self, redis: AnyRedis, partitions: int, *, back: int = _BACK) -> None:
        self._redis = redis
        self._places = [_Place(keys) for keys in all_keys(partitions)]
        self._back = back // partitions
        self._one = asyncio.Lock()
        self.tally, self.index = Tally(), Index()
        self.trouble = ""
        self.ready = False  #: once what the streams held at the start is counted

    @property
    def since(self) -> int:
        """From when on everything is counted (ms); 0 for all that is kept."""
        return max(self.tally.dropped_before, *(place.since for place in self._places))

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Until the block ends."""
        task = asyncio.create_task(self._follow(), name="guardtier-tally")
        try:
            yield
        finally:
            await end([task])

    async def catch_up(self) -> None:
        """Read what was added. Where Redis is away, ``trouble`` says so and the tally stays as it is."""
        async with self._one:
            try:
                await self._read()
                self.tally.forget_before(now_ms() - KEPT_MS)
                self.trouble, self.ready = "", True
            except (RedisError, OSError) as error:
                if not self._is_begun():
                    self._begin_anew()  # what was read in part would be counted twice
                if not self.trouble:
                    log.warning("the audit streams can't be read: %r", error)
                self.trouble = type(error).__name__

    async def _follow(self) -> None:
        while True:
            await self.catch_up()
            await asyncio.sleep(_EVERY_SECONDS)

    def _is_begun(self) -> bool:
        """Whether every partition was read back once: until then, none is read forwards."""
        return all(place.last for place in self._places)

    async def _read(self) -> None:
        if self._is_begun():
            for place in self._places:
                if not await self._forward(place):
                    log.info("the figures begin anew: the audit stream %s has moved", place.keys.audit)
                    self._begin_anew()
                    break
        if not self._is_begun():
            for place in self._places:
                await self._backward(place)
            self.index.settle()

    async def _backward(self, place: _Place) -> None:
        """After a start: the newest lines that there are, back to as many as are read."""
        oldest = str(max(0, now_ms() - KEPT_MS))
        below, left, newest = "+", self._back, ""
        while left > 0:
            page = await self._redis.xrevrange(place.keys.audit, below, oldest, count=min(_PAGE, left))
            self._take(place, page)
            if page:
                newest = newest or page[0][0].decode()
                below = f"({page[-1][0].decode()}"
                left -= len(page)
            if len(page) < _PAGE:
                break
            await asyncio.sleep(_BREATH_SECONDS)
        place.last = newest or "0-0"
        place.since = int(below[1:].partition("-")[0]) if left <= 0 else 0

    async def _forward(self, place: _Place) -> bool:
        """False for a stream that was restored from an older copy, or runs ahead of us."""
        for _ in range(_PAGES):
            page = await self._redis.xrange(place.keys.audit, min=f"({place.last}", count=_PAGE)
            self._take(place, page)
            if page:
                place.last = page[-1][0].decode()
            if len(page) < _PAGE:
                break
            await asyncio.sleep(_BREATH_SECONDS)
        newest = await self._redis.xrevrange(place.keys.audit, count=1)
        at = _ms(newest[0][0].decode()) if newest else 0
        return _ms(place.last) <= at <= _ms(place.last) + _BEHIND_MS

    def _begin_anew(self) -> None:
        self.ready = False
        self.tally.clear()
        self.index.clear()
        for place in self._places:
            place.last, place.since = "", 0

    def _take(self, place: _Place, page: list[tuple[bytes, dict[bytes, bytes] | None]]) -> None:
        for entry, fields in page:
            line = Line(place.keys.partition, entry.decode(), fields or {})
            self.tally.take(line)
            self.index.take(line)


def _ms(entry: str) -> int:
    return int(entry.partition("-")[0] or 0)
