"""Lane: one partition of one worker: read, handle, take over from the dead, tidy up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

import orjson
from redis.exceptions import ResponseError

from guardtier.errors import UnusableEntry
from guardtier.sealing import Seal
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, connect, is_away, is_wrong_type, refuses_writes, wire_to
from guardtier.store.delivery import Delivery
from guardtier.store.keys import Keys
from guardtier.store.ledger import Ledger, Retention
from guardtier.store.pipe import CommandPipe
from guardtier.store.upkeep import heartbeat, retire, trim
from guardtier.verdict import Verdict
from guardtier_workers.held import Held
from guardtier_workers.reading import Reading, Streams
from guardtier_workers.takeover import ENTRY_BYTES, TakeOver

log = logging.getLogger(__name__)

BLOCK_MS = 1000  #: a blocking read; a new fleet is seen after so long
#: Where one read brought several entries, more are on their way: the next read waits for them, so
#: that everybody, Redis included, is woken less often. A lone agent never waits for this.
LINGER_SECONDS = 0.001
#: Of one read; of more, each entry is claimed by itself (takeover.py). Eight fleets' shares of the longest.
READ_BYTES = 128 * 1024 * 1024
BEAT_SECONDS = 1.0
CLOSE_SECONDS = 5.0  #: for handlers that are cancelled at the end
ALIVE_MS = 3500  #: a worker whose heartbeat is older counts as dead
OWN_MOST = 10_000  #: entries read back while draining, a stream
BURIALS = 3  #: tries to bury what was delivered too often; then only a dead letter is kept

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
        seal: Seal = Verdict.to_json,
        held_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.keys = Keys(partition)
        self.settings = settings
        self.group, self.consumer = group, consumer
        self._handle, self._bury = handle, bury
        self._prepare, self._says = prepare, says
        self._held_up = held_up
        self._reader: AnyRedis = connect(settings.redis_url, answer_seconds=None)
        self._wire = wire_to(self._reader, answer_seconds=BLOCK_MS / 1000 + 10.0, most_bytes=READ_BYTES)
        self.redis: AnyRedis = connect(settings.redis_url)
        self.pipe = CommandPipe(self.redis, insist=True)
        self.ledger = Ledger(
            self.pipe,
            self.keys,
            Retention(int(settings.retain_seconds * 1000), int(settings.reply_seconds * 1000)),
            seal,
        )
        self.reading = Reading(
            self.redis, self._wire, self.keys, group=group, consumer=consumer, streams=streams
        )
        self._waiting: deque[Delivery] = deque()
        self._held = Held(settings.concurrency)  # waiting here or in work
        self._claims = TakeOver(
            self.redis,
            self.keys,
            self._held,
            group=group,
            consumer=consumer,
            claim_seconds=settings.claim_seconds,
        )
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
    def streams(self) -> Streams:
        """What it reads from, as of its last look."""
        return self.reading.streams

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
                await self.reading.refresh()
                entries = await self.reading.take(">", count=self._share, block=BLOCK_MS)
                self.seen_redis_at = monotonic()
                pause = 0.05
            except Exception as error:
                await self.survive(error, pause)
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
                self._held.count_time(held_up=self._held_up())
                self.failed += self._held.give_up(self.settings.claim_seconds)
                await self._take_over()
                await self._trim()
            except Exception as error:
                await self.survive(error, 0.0)
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

    async def keep(self, delivery: Delivery) -> None:
        """For a handler that takes long and gets on: it is not given up, and nobody else begins it."""
        self._held.renew(delivery)
        await self.redis.xclaim(
            delivery.stream, self.group, self.consumer, 0, [delivery.entry], justid=True
        )

    async def drain(self, seconds: float) -> None:
        """Finish what this worker was given; what is not done in time stays pending for others."""
        try:
            async with asyncio.timeout(seconds):
                await self._wire.close()  # ends a read that was cancelled on its way
                self._accept(await self.reading.take("0", count=OWN_MOST))
                while self._tasks:
                    await asyncio.wait(self._tasks)
                for stream in self.streams:
                    await retire(self.pipe, stream, self.group, self.consumer)
                await self.redis.delete(self.keys.alive(self.group, self.consumer))
        except Exception as error:
            log.warning("%s: could not finish everything: %r", self.consumer, error)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:  # one that does not listen must not keep the worker from its end
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        await self.pipe.close()
        await self._wire.close()
        await self._claims.close()
        await self._reader.aclose()
        await self.redis.aclose()

    def _accept(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            if self._held.take(delivery):
                self._waiting.append(delivery)
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._tasks) < self.settings.concurrency:
            delivery = self._waiting.popleft()
            task = asyncio.create_task(self._work(delivery))
            self._held.begin(delivery, task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._waiting or len(self._tasks) >= self.settings.concurrency:
            self._room.clear()
        else:
            self._room.set()

    async def _work(self, delivery: Delivery) -> None:
        try:
            await self._end(delivery)
            self.handled += 1
            self._touched.add(delivery.stream)
        except Exception as error:
            if self._held.let_go(delivery):  # else it was given up, and counted then
                self.failed += 1
                self._note(delivery, error)
        finally:
            self._held.let_go(delivery)
            self._tasks.discard(asyncio.current_task())
            self._start()

    async def _end(self, delivery: Delivery) -> None:
        """Handle it, bury it, or keep a dead letter of what nobody can do anything with."""
        most = self.settings.max_deliveries
        try:
            if delivery.deliveries > most + BURIALS:
                raise UnusableEntry(f"delivered {delivery.deliveries - 1} times, and nothing came of it")
            await (self._bury if delivery.deliveries > most else self._handle)(self, delivery)
        except UnusableEntry as error:
            why = error.message[:500]
            log.warning("entry %s of %s is given up: %s", delivery.entry, delivery.stream, why)
            await self.ledger.refuse(delivery, error, event="given_up", reply=None, dead_letter=why)

    def _note(self, delivery: Delivery, error: Exception) -> None:
        """What failed since Redis was away is no poison: it is not counted against the delivery."""
        if is_away(error):
            self._claims.spare(delivery)
            log.warning("delivery %s of %s waits for Redis: %r", delivery.entry, delivery.stream, error)
        else:
            log.error("delivery %s of %s failed", delivery.entry, delivery.stream, exc_info=error)

    async def _take_over(self) -> None:
        async for stream, entry, fields, times, too_long in self._claims.claimed(self.streams):
            delivery = self.reading.delivery(stream, entry, fields, times)
            if too_long:
                await self._drop(delivery)
            else:
                self._accept([delivery])

    async def _drop(self, delivery: Delivery) -> None:
        """Give up what is too long to be read; nobody keeps a copy of it either."""
        error = UnusableEntry("it is longer than an entry may be, and was not read", limit=ENTRY_BYTES)
        log.warning("entry %s of %s is given up: %s", delivery.entry, delivery.stream, error.message)
        await self.ledger.refuse(delivery, error, event="given_up", reply=None, wipe=True)

    async def _trim(self) -> None:
        touched, self._touched = self._touched, set()
        for stream in touched:
            await trim(self.pipe, stream)

    async def survive(self, error: Exception, pause: float) -> None:
        """Redis is away, or lost the groups: wait and go on. Anything else ends the worker."""
        if isinstance(error, ResponseError) and str(error).startswith(("NOGROUP", "UNBLOCKED")):
            try:
                await self._prepare()
            except Exception as failed:  # a slot that is still on its way, a Redis that went away just now
                if not (is_away(failed) or refuses_writes(failed)):
                    raise
                pause = max(pause, 0.2)
        elif is_wrong_type(error):  # one damaged key must not stop the others' work
            log.error("%s: a key of partition %d is damaged: %s", self.group, self.keys.partition, error)
            self.reading.leave_out_damaged()
            pause = max(pause, 0.2)
        elif not (is_away(error) or refuses_writes(error)):
            raise error
        log.debug("%s waits for Redis: %r", self.consumer, error)
        await asyncio.sleep(pause)
