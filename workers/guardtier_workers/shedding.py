"""Shedding: what there is no room for is refused unrated: beyond a quota, or beyond a queue's limit.

A queue is looked at four times a second, so it may be longer than its limit for so long. Requests of all
kinds count, since each of them takes memory and a turn. Where Redis has none left, a queue within its limit
may be what fills it: what this worker has in hand can't be written down, and what waits makes the room.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from guardtier.errors import QueueFull, TierUnavailable, TurnedAway
from guardtier.settings import Settings
from guardtier.store.connection import connect
from guardtier.store.delivery import Delivery
from guardtier.store.pipe import CommandPipe
from guardtier.store.turning import TurnAway
from guardtier_workers.lane import Lane

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
LOOK_SECONDS_A_PARTITION = 0.02  #: with 64 partitions every 1.3 s: each look is a round trip
TOLD_SECONDS = 1.1  #: after so long without another refusal, what is left to be told is told

NO_MEMORY = QueueFull(
    "Redis is out of memory, so nothing that waits can be answered: ask again after retry_after seconds",
    field="maxmemory",
)

_Refused = list[tuple[Delivery, TurnedAway, "asyncio.Future[None]"]]
_Told = tuple[str, str | None]  #: a stream and its fleet


class Shedding:
    """Refuses for one analyzer worker, many requests by one call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = connect(settings.redis_url)
        #: Its own: that of a lane has what it tries again and again before anything else.
        self.pipe = CommandPipe(self._redis, insist=False)
        self._seconds = max(LOOK_SECONDS, LOOK_SECONDS_A_PARTITION * settings.partitions)
        self._refused: dict[tuple[str, str, str], _Refused] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._untold: dict[tuple[str, str], tuple[_Told, TurnedAway, float]] = {}

    async def turn_away(self, lane: Lane, delivery: Delivery, error: TurnedAway) -> None:
        """Refuse one request that this worker was given, with the others of this moment."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        reason = (delivery.stream, error.code, error.message)
        refused = self._refused.get(reason)
        if refused is None:
            refused = self._refused[reason] = []
            loop.call_soon(self._call, lane, reason)
        refused.append((delivery, error, done))
        await done

    async def close(self) -> None:
        await self.pipe.close()
        await self._redis.aclose()

    async def watch(self, lane: Lane) -> None:
        """Look at the queues of a lane until cancelled."""
        while True:
            try:
                await self._look(lane)
                await self._tell(lane)
            except Exception as error:
                await lane.survive(error, 0.0)
            await asyncio.sleep(self._seconds)

    async def _look(self, lane: Lane) -> None:
        queues = {s: fleet for s, fleet in lane.streams.items() if fleet or s == lane.keys.strays}
        lengths = await asyncio.gather(*(lane.pipe.post("XLEN", stream) for stream in queues))
        for (stream, fleet), length in zip(queues.items(), lengths, strict=True):
            most = self._settings.max_queue_of(fleet)
            if length > most:
                await self._shed(lane, stream, fleet, most)
            elif length and lane.pipe.is_full:
                await self._make_room(lane, stream, fleet, length)

    async def _shed(self, lane: Lane, stream: str, fleet: str | None, most: int) -> None:
        whose = f"fleet {fleet}" if fleet else "unknown fleets"
        full = QueueFull(
            f"more than {most} requests of {whose} wait: ask again after retry_after seconds",
            field="max_queue",
            limit=most,
        )
        while True:
            shed = await lane.ledger.shed(stream, fleet, full, most=most)
            if shed.refused:
                self._is_to_tell(stream, fleet, full)
            if shed.waiting <= most:
                return

    async def _make_room(self, lane: Lane, stream: str, fleet: str | None, length: int) -> None:
        """Refuse the newest quarter of what waits: at each look, until Redis takes writes again."""
        ledger = TurnAway(self.pipe, lane.keys)
        try:
            waiting = (await ledger.shed(stream, fleet, NO_MEMORY, most=length)).waiting
            most = waiting * 3 // 4
            while waiting > most:
                shed = await ledger.shed(stream, fleet, NO_MEMORY, most=most)
                self._is_to_tell(stream, fleet, NO_MEMORY)
                waiting = shed.waiting if shed.refused else 0
        except TierUnavailable:  # with nothing to delete it can't write either
            log.debug("no room can be made in %s", stream)

    def _call(self, lane: Lane, reason: tuple[str, str, str]) -> None:
        call = asyncio.create_task(self._refuse(lane, self._refused.pop(reason)))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _refuse(self, lane: Lane, refused: _Refused) -> None:
        delivery, first, _ = refused[0]
        try:
            await lane.ledger.turn_away(delivery.fleet or "", [(one, error) for one, error, _ in refused])
        except asyncio.CancelledError:
            for _, _, done in refused:
                done.cancel()
            raise
        except Exception as error:  # each of them fails, and is delivered again
            for _, _, done in refused:
                if not done.done():
                    done.set_exception(error)
            return
        self._is_to_tell(delivery.stream, delivery.fleet, first)
        for _, _, done in refused:
            if not done.done():
                done.set_result(None)

    def _is_to_tell(self, stream: str, fleet: str | None, error: TurnedAway) -> None:
        self._untold[stream, error.code] = ((stream, fleet), error, monotonic())

    async def _tell(self, lane: Lane) -> None:
        """Have the rest counted in the audit stream once no more comes."""
        for key, ((stream, fleet), error, at) in list(self._untold.items()):
            if stream in lane.streams and monotonic() - at >= TOLD_SECONDS:
                del self._untold[key]
                await lane.ledger.tell_turned(stream, fleet, error)


__all__ = ["Shedding"]
