"""Readings: how workers and queues are at the moment, read at most once in a while for all who ask."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Generic, TypeVar

from redis.exceptions import NoPermissionError

from guardtier.store.connection import AnyRedis, RedisError, connect
from guardtier.store.dead import DeadLetter, DeadLetters, DeadPage
from guardtier.store.exports import Behind, Exports
from guardtier.store.heartbeats import Heartbeat, heartbeats
from guardtier.store.queues import Queue, fleet_queues, tier_queues
from guardtier.store.upkeep import Upkeep, pools_alive, steward_alive
from guardtier_workers.console.ops.halts import StandingHalt, halts_standing

T = TypeVar("T")

FRESH_SECONDS: Final = 1.0  #: what was read is shown to everybody for so long
SAMPLE_SECONDS: Final = 5.0  #: how often it is noted what workers have handled
MOST_FLEETS: Final = 500  #: whose queues are read at once: each is a stream a partition
JOBS_SECONDS: Final = 1.0  #: for what may be another Redis, which may hang
SAMPLES: Final = 13  #: that is a minute


@dataclass(frozen=True, slots=True)
class Worker:
    """``per_second``: what it handled a second, within the last minute; None: it is too soon to say."""

    beat: Heartbeat
    per_second: float | None


@dataclass(frozen=True, slots=True)
class JobWorkers:
    """Who takes arq's jobs; see ``Readings.steward`` and ``Readings.pools``."""

    steward: bool | None
    pools: list[tuple[str, bool]]


class Kept(Generic[T]):
    """One reading, shared: asked for at once, it is read once; no older than ``FRESH_SECONDS``."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._at = float("-inf")
        self._changes = 0

    def forget(self) -> None:
        """Whoever asks next reads: something was changed. What is being read now may not have it."""
        self._at = float("-inf")
        self._changes += 1

    async def get(self) -> T:
        """Raises what reading raises."""
        async with self._lock:
            if self._value is None or monotonic() - self._at > FRESH_SECONDS:
                changes = self._changes
                self._value = await self._read()
                if changes == self._changes:
                    self._at = monotonic()
            return self._value


class Readings:
    """Reads Redis, and writes nothing. All of it raises what Redis raises."""

    def __init__(self, redis: AnyRedis, partitions: int, pools: Sequence[str], arq_url: str) -> None:
        self._redis, self._partitions = redis, partitions
        self._pools, self._arq_url = tuple(pools), arq_url
        self._upkeep = Upkeep(redis, partitions)
        self._exports = Exports(redis, partitions)
        self._samples: deque[tuple[float, dict[str, int]]] = deque(maxlen=SAMPLES)
        self.dead = DeadLetters(redis, partitions)
        self._reading_dead = asyncio.Lock()  # a page may read megabytes: one at a time
        self._workers = Kept(lambda: heartbeats(redis, partitions))
        self._tier_queues = Kept(lambda: tier_queues(redis, partitions))
        self._fleets = Kept(self._upkeep.fleets)
        self._all_queues = Kept(self._read_queues)
        self._halts = Kept(lambda: halts_standing(redis, partitions))
        self._job_workers = Kept(self._read_jobs)

    async def sample(self) -> None:
        """Note what each worker has handled so far."""
        alive = await self._workers.get()
        self._samples.append((monotonic(), {one.name: one.handled for one in alive}))

    async def workers(self) -> list[Worker]:
        """Those that live, by kind and name."""
        return [Worker(beat, self._pace(beat)) for beat in await self._workers.get()]

    async def fleets(self) -> list[str]:
        """Every registered fleet, by name: show only what the visitor sees."""
        return await self._fleets.get()

    async def tier_queues(self) -> list[Queue]:
        """The queues that belong to no fleet alone."""
        return await self._tier_queues.get()

    async def fleet_queues(self, fleets: Sequence[str]) -> list[Queue]:
        """What the agents of these fleets have asked. Keep them few: each is a stream a partition."""
        return await fleet_queues(self._redis, self._partitions, fleets)

    async def halts(self) -> list[StandingHalt]:
        """Everything that is halted: show only what the visitor sees."""
        return await self._halts.get()

    def forget_halts(self) -> None:
        """Somebody has halted or resumed by this console: the page shows it at once."""
        self._halts.forget()

    async def all_queues(self) -> list[Queue]:
        """Those of the first ``MOST_FLEETS`` fleets, and of the whole tier."""
        return await self._all_queues.get()

    async def dead_page(self, shows: Callable[[DeadLetter], bool], *, after: str, limit: int) -> DeadPage:
        """A page of dead letters, those that are shown."""
        async with self._reading_dead:
            return await self.dead.page(shows, after=after, limit=limit)

    async def pools(self) -> list[tuple[str, bool]]:
        """The pools of the settings, and whether a worker of each lives."""
        return (await self._job_workers.get()).pools if self._pools else []

    async def steward(self) -> bool | None:
        """Whether a steward takes its jobs; None for a credential that may not know."""
        return (await self._job_workers.get()).steward

    async def exports(self) -> list[Behind]:
        """How far the exports of the audit trail are; none for a credential that may not read it."""
        try:
            return await self._exports.behind()
        except NoPermissionError:
            return []

    async def now_ms(self) -> int:
        """Redis' clock."""
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def _pace(self, beat: Heartbeat) -> float | None:
        now = monotonic()
        for at, handled in self._samples:
            before = handled.get(beat.name)
            if before is not None and before <= beat.handled and now - at >= FRESH_SECONDS:
                return (beat.handled - before) / (now - at)
        return None

    async def _read_queues(self) -> list[Queue]:
        fleets = await self.fleets()
        return [*await self.fleet_queues(fleets[:MOST_FLEETS]), *await self.tier_queues()]

    async def _read_jobs(self) -> JobWorkers:
        redis = connect(self._arq_url)
        steward = False
        alive: list[bytes | None] = [None] * len(self._pools)
        try:
            async with asyncio.timeout(JOBS_SECONDS):
                steward = bool(await steward_alive(redis))
                alive = await pools_alive(redis, self._pools)
        except NoPermissionError:
            return JobWorkers(None, [(pool, False) for pool in self._pools])
        except (RedisError, OSError):  # a time limit is one too
            pass
        finally:
            await redis.aclose()
        return JobWorkers(
            steward, [(pool, bool(one)) for pool, one in zip(self._pools, alive, strict=True)]
        )
