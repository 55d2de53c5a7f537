"""Lane: one partition of one worker: read, handle, take over from the dead, tidy up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import zip_longest
from time import monotonic
from typing import Any

import orjson
from redis.exceptions import ResponseError

from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, connect, is_away, refuses_writes
from guardtier.store.delivery import Delivery
from guardtier.store.keys import Keys
from guardtier.store.ledger import Ledger, Retention
from guardtier.store.pipe import CommandPipe
from guardtier.store.upkeep import heartbeat, retire, trim
from guardtier.store.wire import entries_of, wire_to

log = logging.getLogger(__name__)

BLOCK_MS = 1000  #: a blocking read; a new fleet is seen after so long
STREAMS_SECONDS = 1.0  #: how old the list of streams may be
#: Where one read brought several entries, more are on their way: the next read waits for them, so
#: that everybody, Redis included, is woken less often. A lone agent never waits for this.
LINGER_SECONDS = 0.001
BEAT_SECONDS = 1.0
ALIVE_MS = 3500  #: a worker whose heartbeat is older counts as dead
OWN_IDLE_MS = 1000  #: an entry of our own that failed is tried again after so long
OWN_MOST = 10_000  #: entries read back while draining, a stream
PEEK = 100  #: pending entries looked at in one go, a stream

Streams = dict[str, str | None]
Handler = Callable[["Lane", Delivery], Awaitable[None]]


class Lane:
    """Reads the streams of one partition for one consumer and runs ``handle`` on each delivery.

    At most ``settings.concurrency`` run at once; what raised stays pending and comes again, to this
    worker or another, until ``bury`` ends it.
    """

    def __init__(
        self,
        settings: Settings,
        partition: int,
        *,
        group: str,
        consumer: str,
        streams: Callable[[int], Awaitable[Streams]],
        handle: Handler,
        bury: Handler,
        prepare: Callable[[], Awaitable[None]],
        says: Callable[[int], dict[str, Any]] = lambda _partition: {},
    ) -> None:
        self.keys = Keys(partition)
        self.settings = settings
        self.group, self.consumer = group, consumer
        self._list_streams, self._handle, self._bury = streams, handle, bury
        self._prepare, self._says = prepare, says
        self._reader: AnyRedis = connect(settings.redis_url, answer_seconds=None)
        self._wire = wire_to(self._reader, answer_seconds=BLOCK_MS / 1000 + 10.0)
        self.redis: AnyRedis = connect(settings.redis_url)
        self.pipe = CommandPipe(self.redis, insist=True)
        self.ledger = Ledger(
            self.pipe,
            self.keys,
            Retention(int(settings.retain_seconds * 1000), int(settings.reply_seconds * 1000)),
        )
        self._streams: Streams = {}
        self._streams_at = 0.0
        self._waiting: deque[Delivery] = deque()
        self._held: set[tuple[str, str]] = set()  # waiting here or in work
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._touched: set[str] = set()
        self._stopping = False
        self.handled = self.failed = 0
        self.seen_redis_at = 0.0

    @property
    def in_work(self) -> int:
        return len(self._tasks)

    @property
    def _share(self) -> int:
        """The most to read of each stream: what waits here could run on an idle worker instead."""
        return max(1, min(self.settings.share, self.settings.concurrency - len(self._tasks)))

    async def read(self) -> None:
        """Read and start handlers until :meth:`stop`."""
        pause = 0.05
        while not self._stopping:
            await self._room.wait()
            try:
                await self._fresh_streams()
                entries = await self._take(">", count=self._share, block=BLOCK_MS)
                self.seen_redis_at = monotonic()
                pause = 0.05
            except Exception as error:
                await self._survive(error, pause)
                pause = min(pause * 2, 1.0)
                continue
            self._accept(entries)
            if len(entries) > 1:
                await asyncio.sleep(LINGER_SECONDS)
            else:  # its handler, and what that sends, go before the next question
                await asyncio.sleep(0)
                await asyncio.sleep(0)

    async def keep_up(self) -> None:
        """Heartbeat, take-over and trimming until :meth:`stop`."""
        while not self._stopping:
            try:
                await self.beat()
                await self._take_over()
                await self._trim()
            except Exception as error:
                await self._survive(error, 0.0)
            await asyncio.sleep(BEAT_SECONDS)

    def stop(self) -> None:
        """End the loops at their next turn; redis-py may turn a cancellation into a TimeoutError."""
        self._stopping = True

    async def beat(self) -> None:
        """Say that it lives, and what it has done since it started (store/heartbeats.py)."""
        body = orjson.dumps(
            {
                "consumer": self.consumer,
                "handled": self.handled,
                "failed": self.failed,
                "in_work": self.in_work,
                **self._says(self.keys.partition),
            }
        )
        await heartbeat(self.redis, self.keys, self.group, self.consumer, body=body, ttl_ms=ALIVE_MS)

    async def drain(self, seconds: float) -> None:
        """Finish what this worker was given; what is not done in time stays pending for others."""
        try:
            async with asyncio.timeout(seconds):
                await self._wire.close()  # ends a read that was cancelled on its way
                self._accept(await self._take("0", count=OWN_MOST))
                while self._tasks:
                    await asyncio.wait(self._tasks)
                for stream in self._streams:
                    await retire(self.pipe, stream, self.group, self.consumer)
                await self.redis.delete(self.keys.alive(self.group, self.consumer))
        except Exception as error:
            log.warning("%s: could not finish everything: %r", self.consumer, error)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pipe.close()
        await self._wire.close()
        await self._reader.aclose()
        await self.redis.aclose()

    async def _fresh_streams(self) -> None:
        if monotonic() - self._streams_at < STREAMS_SECONDS:
            return
        self._streams = await self._list_streams(self.keys.partition)
        self._streams_at = monotonic()

    async def _take(self, start: str, *, count: int, block: int | None = None) -> list[Delivery]:
        """XREADGROUP over every stream, a bounded share of each, taken in turn."""
        if not self._streams:
            return []
        command = ["XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count]
        if block is not None:
            command += ["BLOCK", block]
        command += ["STREAMS", *self._streams, *([start] * len(self._streams))]
        (reply,) = await self._wire.round_trip([command])
        if isinstance(reply, BaseException):
            raise reply
        rows = [
            [self._delivery(name.decode(), entry, found) for entry, found in entries_of(entries)]
            for name, entries in reply or ()
        ]
        return [found for turn in zip_longest(*rows) for found in turn if found is not None]

    def _delivery(
        self, stream: str, entry: bytes, fields: dict[bytes, bytes] | None, deliveries: int = 1
    ) -> Delivery:
        return Delivery(
            partition=self.keys.partition,
            stream=stream,
            group=self.group,
            entry=entry.decode(),
            fields=fields or {},
            fleet=self._streams.get(stream),
            deliveries=deliveries,
        )

    def _accept(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            key = (delivery.stream, delivery.entry)
            if key not in self._held:
                self._held.add(key)
                self._waiting.append(delivery)
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._tasks) < self.settings.concurrency:
            task = asyncio.create_task(self._work(self._waiting.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._waiting or len(self._tasks) >= self.settings.concurrency:
            self._room.clear()
        else:
            self._room.set()

    async def _work(self, delivery: Delivery) -> None:
        try:
            if delivery.deliveries > self.settings.max_deliveries:
                await self._bury(self, delivery)
            else:
                await self._handle(self, delivery)
            self.handled += 1
            self._touched.add(delivery.stream)
        except Exception:
            self.failed += 1
            log.exception("delivery %s of %s failed; it comes again", delivery.entry, delivery.stream)
        finally:
            self._held.discard((delivery.stream, delivery.entry))
            self._tasks.discard(asyncio.current_task())
            self._start()

    async def _take_over(self) -> None:
        """Claim what a dead worker held, and what failed here. Idle times are for liveness alone."""
        dead: dict[str, bool] = {}
        for stream in self._streams:
            pending = await self.redis.xpending_range(
                stream, self.group, min="-", max="+", count=PEEK, idle=OWN_IDLE_MS
            )
            for item in pending:
                holder = item["consumer"].decode()
                if holder not in dead:
                    dead[holder] = holder != self.consumer and not await self.redis.exists(
                        self.keys.alive(self.group, holder)
                    )
                if self._may_take(stream, item, dead[holder]):
                    await self._claim(stream, item)

    def _may_take(self, stream: str, item: dict[str, Any], is_dead: bool) -> bool:
        if item["consumer"].decode() == self.consumer:
            return (stream, item["message_id"].decode()) not in self._held
        return is_dead or item["time_since_delivered"] >= self.settings.claim_seconds * 1000

    async def _claim(self, stream: str, item: dict[str, Any]) -> None:
        entry = item["message_id"]
        won = await self.redis.xclaim(stream, self.group, self.consumer, OWN_IDLE_MS, [entry])
        for found, fields in won:
            again = self._delivery(stream, found or entry, fields, item["times_delivered"] + 1)
            self._accept([again])

    async def _trim(self) -> None:
        touched, self._touched = self._touched, set()
        for stream in touched:
            await trim(self.pipe, stream)

    async def _survive(self, error: Exception, pause: float) -> None:
        """Redis is away, or lost the groups: wait and go on. Anything else ends the worker."""
        if isinstance(error, ResponseError) and str(error).startswith(("NOGROUP", "UNBLOCKED")):
            await self._prepare()
        elif not (is_away(error) or refuses_writes(error)):
            raise error
        log.debug("%s waits for Redis: %r", self.consumer, error)
        await asyncio.sleep(pause)
