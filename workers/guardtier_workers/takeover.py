"""TakeOver: the pending deliveries that a worker claims: a dead worker's, and its own that failed.

Whoever may add to a stream may add what is larger than a worker's memory: each that was handed it would
end, and the next one after it. So a read brings no more than so much, and where more came, each entry is
claimed by itself; what is too long even so is given up, and not read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

from guardtier.store.connection import ANSWER_SECONDS, AnyRedis, wire_to
from guardtier.store.delivery import Delivery
from guardtier.store.keys import Keys
from guardtier.store.talk import TooLong
from guardtier.store.wire import entries_of
from guardtier_workers.held import Held

OWN_IDLE_MS = 1000  #: an entry of our own that failed is tried again after so long
PEEK = 100  #: pending entries looked at in one go
PAGES = 10  #: of them in one look at a stream; the next look goes on behind them
MOST_SPARED = 10_000  #: entries that are known to have been spared; of more the oldest are forgotten
ENTRY_BYTES = 16 * 1024 * 1024  #: of one entry; the longest that is asked for has little more than 1 MiB
SPARES = 20  #: of one entry: what fails so often each time since Redis is away fails for another reason


class Claimed(NamedTuple):
    """``times``: how often it was delivered, with this one. ``too_long``: it was not read."""

    stream: str
    entry: bytes
    fields: dict[bytes, bytes] | None
    times: int
    too_long: bool = False


class TakeOver:
    """Claims for one consumer of one partition. Idle times and heartbeats are for liveness alone."""

    def __init__(
        self, redis: AnyRedis, keys: Keys, held: Held, *, group: str, consumer: str, claim_seconds: float
    ) -> None:
        self._redis, self._keys, self._held = redis, keys, held
        self._wire = wire_to(redis, answer_seconds=ANSWER_SECONDS, most_bytes=ENTRY_BYTES)
        self._group, self._consumer = group, consumer
        self._claim_ms = claim_seconds * 1000
        self._spares: dict[tuple[str, str], int] = {}  # how often each was spared
        self._spared: set[tuple[str, str]] = set()  # those of them that have failed since their last claim
        self._behind: dict[str, str] = {}  # where the next look at a stream begins

    async def close(self) -> None:
        await self._wire.close()

    def spare(self, delivery: Delivery) -> None:
        """It failed through no fault of its own: its next delivery does not count as one more."""
        key = (delivery.stream, delivery.entry)
        spares = self._spares.pop(key, 0)
        self._spares[key] = spares + 1
        if spares < SPARES:
            self._spared.add(key)
        if len(self._spares) > MOST_SPARED:
            oldest = next(iter(self._spares))
            del self._spares[oldest]
            self._spared.discard(oldest)

    async def claimed(self, streams: Iterable[str]) -> AsyncIterator[Claimed]:
        """What nobody works on, claimed one by one: a dead worker's, what waited for claim_seconds in
        another's hands, what failed here.
        """
        dead: dict[str, bool] = {}
        for stream in list(streams):
            async for item in self._pending(stream):
                holder = item["consumer"].decode()
                if holder not in dead:
                    dead[holder] = holder != self._consumer and not await self._redis.exists(
                        self._keys.alive(self._group, holder)
                    )
                if self._may_take(stream, item, is_dead=dead[holder]):
                    async for won in self._claim(stream, item):
                        yield won

    async def _pending(self, stream: str) -> AsyncIterator[dict[str, Any]]:
        """What has been pending for a while. Where there is much, the rest of it at the next look: what
        slow workers hold must not hide what a dead one left behind it.
        """
        for _ in range(PAGES):
            page = await self._redis.xpending_range(
                stream,
                self._group,
                min=self._behind.pop(stream, "-"),
                max="+",
                count=PEEK,
                idle=OWN_IDLE_MS,
            )
            for item in page:
                yield item
            if len(page) < PEEK:
                return
            self._behind[stream] = f"({page[-1]['message_id'].decode()}"

    def _may_take(self, stream: str, item: dict[str, Any], *, is_dead: bool) -> bool:
        if (stream, item["message_id"].decode()) in self._held:
            return False  # ours, or taken from us while we are at it: to claim it would be to count it
        own = item["consumer"].decode() == self._consumer
        return own or is_dead or item["time_since_delivered"] >= self._claim_ms

    async def _claim(self, stream: str, item: dict[str, Any]) -> AsyncIterator[Claimed]:
        entry, times = item["message_id"], item["times_delivered"] + 1
        if (stream, entry.decode()) in self._spared:
            self._spared.remove((stream, entry.decode()))
            times -= 1
        command = ["XCLAIM", stream, self._group, self._consumer, OWN_IDLE_MS, entry, "RETRYCOUNT", times]
        try:
            (won,) = await self._wire.round_trip([command])
        except TooLong as error:
            won = error
        if isinstance(won, TooLong):
            yield Claimed(stream, entry, None, times, too_long=True)
        elif isinstance(won, BaseException):
            raise won
        else:  # before Redis 7.0 what was deleted is told as nothing
            for _, fields in entries_of([row or (entry, None) for row in won]):
                yield Claimed(stream, entry, fields, times)
