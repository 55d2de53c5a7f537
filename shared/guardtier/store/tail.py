"""Tail: follow one stream over one blocking connection, through reconnects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import uniform
from time import monotonic
from typing import Any

from guardtier.store.connection import AnyRedis, connect, is_away, refuses_credential, trouble_of, wire_to
from guardtier.store.wire import entries_of

log = logging.getLogger(__name__)

BLOCK_SECONDS = 5
STALL_SECONDS = 30.0  #: well below reply_seconds, for which an unread reply is kept
PAGE = 1000
LINGER_SECONDS = 0.001  #: after a read of several entries, to gather what is on its way
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0  #: seconds between tries while Redis is away
SPREAD = 0.5  #: so much longer at random, or 10,000 clients would all come back at once

Fields = dict[bytes, bytes]


class Tail:
    """Calls ``on_entry(entry id, fields)`` for what is added to a stream after :meth:`start`.

    ``on_back`` is called whenever the connection is back after it was lost: a server that was
    restored from an older copy may have forgotten what was asked and what was told. Also where this
    process stood still for so long that what it was told may have been dropped unread.

    Where ``room`` is given, nothing more is read while it is not set; one read brings up to 1,000 entries.
    """

    def __init__(
        self,
        url: str,
        key: str,
        on_entry: Callable[[str, Fields], None],
        on_back: Callable[[], None] = lambda: None,
        *,
        room: asyncio.Event | None = None,
    ) -> None:
        self._redis: AnyRedis = connect(url, answer_seconds=None)
        self._wire = wire_to(self._redis, answer_seconds=BLOCK_SECONDS + 5.0)
        self._key = key
        self._on_entry, self._on_back = on_entry, on_back
        self._room = room
        self._last = b"0-0"
        self._task: asyncio.Task[None] | None = None
        self._closed = False  # redis-py may turn a cancellation into an error of its own
        self.trouble: str | None = None  #: why nothing can be read at the moment

    @property
    def last(self) -> str:
        """The entry that was handed out last; at first the one behind which it began."""
        return self._last.decode()

    async def start(self, *, insist: bool = True) -> None:
        """Begin behind the last entry that is there now. Waits for Redis where it is away.

        Also where it does not take the credential; without ``insist``, that is raised.
        """
        while not self._closed:
            try:
                newest = await self._newest()
                break
            except Exception as error:
                if not insist and refuses_credential(error):
                    raise
                await self._survive(error, FIRST_PAUSE * 5)
        else:
            return
        self._last = newest or b"0-0"
        self.trouble = None
        self._task = asyncio.create_task(self._follow(), name="guardtier-tail")

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._wire.close()
        await self._redis.aclose()

    async def _follow(self) -> None:
        pause, read_at = FIRST_PAUSE, monotonic()
        while not self._closed:
            if self._room is not None and not self._room.is_set():
                await self._room.wait()
                read_at = monotonic()
            try:
                found = await self._call(
                    "XREAD",
                    "COUNT",
                    PAGE,
                    "BLOCK",
                    BLOCK_SECONDS * 1000,
                    "STREAMS",
                    self._key,
                    self._last,
                )
                stood_still = monotonic() - read_at > STALL_SECONDS
                read_at = monotonic()
                if self.trouble is not None or stood_still:
                    await self._come_back()
                pause = FIRST_PAUSE
                for _, entries in found or ():
                    self._hand_out(entries_of(entries))
                    # After one, whoever waits for it goes on before more is asked for.
                    await asyncio.sleep(LINGER_SECONDS if len(entries) > 1 else 0)
            except Exception as error:  # whatever it is: who waits is told nothing once nobody reads
                await self._survive(error, pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _hand_out(self, entries: list[tuple[bytes, Fields | None]]) -> None:
        for entry, fields in entries:
            self._last = entry
            try:
                self._on_entry(entry.decode(), fields or {})
            except Exception as error:  # one line: there may be many
                log.error("entry %s of %s can't be read: %.200r", entry.decode(), self._key, error)  # noqa: TRY400

    async def _come_back(self) -> None:
        """After a break: where the stream was lost or is older than we know, read it from its start."""
        try:
            newest = await self._newest()
        except Exception as error:
            await self._survive(error, 0.0)
            return
        if newest is None or _number(newest) < _number(self._last):
            self._last = b"0-0"
        self.trouble = None
        self._on_back()

    async def _newest(self) -> bytes | None:
        """The id of the newest entry; None where there is no stream."""
        found = entries_of(await self._call("XREVRANGE", self._key, "+", "-", "COUNT", 1))
        return found[0][0] if found else None

    async def _call(self, *command: Any) -> Any:
        (reply,) = await self._wire.round_trip([command])
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def _survive(self, error: Exception, pause: float) -> None:
        if not is_away(error):
            log.error("%s can't be read: %r", self._key, error)
        elif self.trouble is None:
            log.warning("Redis is away (%s: %s); trying again", type(error).__name__, error)
        self.trouble = trouble_of(error)
        await asyncio.sleep(max(pause, FIRST_PAUSE) * (1 + uniform(0, SPREAD)))  # noqa: S311


def _number(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence or 0)
