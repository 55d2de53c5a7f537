"""Tail: follow one stream over one blocking connection, through reconnects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from guardtier.store.connection import AnyRedis, connect, is_away

log = logging.getLogger(__name__)

BLOCK_SECONDS = 5
PAGE = 1000
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0  #: seconds between tries while Redis is away

Fields = dict[bytes, bytes]


class Tail:
    """Calls ``on_entry(entry id, fields)`` for what is added to a stream after :meth:`start`.

    ``on_back`` is called whenever the connection is back after it was lost: a server that was
    restored from an older copy may have forgotten what was asked and what was told.
    """

    def __init__(
        self,
        url: str,
        key: str,
        on_entry: Callable[[str, Fields], None],
        on_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis: AnyRedis = connect(url, answer_seconds=BLOCK_SECONDS + 5.0)
        self._key = key
        self._on_entry, self._on_back = on_entry, on_back
        self._last = b"0-0"
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None  #: why nothing can be read at the moment

    async def start(self) -> None:
        """Begin behind the last entry that is there now. Waits for Redis where it is away."""
        while True:
            try:
                newest = await self._redis.xrevrange(self._key, count=1)
                break
            except Exception as error:
                await self._survive(error, FIRST_PAUSE * 5)
        self._last = newest[0][0] if newest else b"0-0"
        self.trouble = None
        self._task = asyncio.create_task(self._follow(), name="guardtier-tail")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()

    async def _follow(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                found = await self._redis.xread(
                    {self._key: self._last}, count=PAGE, block=BLOCK_SECONDS * 1000
                )
            except Exception as error:
                await self._survive(error, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if self.trouble is not None:
                await self._come_back()
            pause = FIRST_PAUSE
            for _, entries in found or ():
                self._hand_out(entries)

    def _hand_out(self, entries: list[tuple[bytes, Fields]]) -> None:
        for entry, fields in entries:
            self._last = entry
            try:
                self._on_entry(entry.decode(), fields)
            except Exception:
                log.exception("entry %s of %s can't be read", entry.decode(), self._key)

    async def _come_back(self) -> None:
        """After a break: where the stream was lost or is older than we know, read it from its start."""
        try:
            newest = await self._redis.xrevrange(self._key, count=1)
        except Exception as error:
            await self._survive(error, 0.0)
            return
        if not newest or _number(newest[0][0]) < _number(self._last):
            self._last = b"0-0"
        self.trouble = None
        self._on_back()

    async def _survive(self, error: Exception, pause: float) -> None:
        if not is_away(error):
            log.error("%s can't be read: %r", self._key, error)
        elif self.trouble is None:
            log.warning("Redis is away (%s: %s); trying again", type(error).__name__, error)
        self.trouble = f"{type(error).__name__}: {error}"
        await asyncio.sleep(max(pause, FIRST_PAUSE))


def _number(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence or 0)
