"""StreamWorker: the consumer-group loop around what a worker does per message."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any, ClassVar
from uuid import uuid4

from redis.exceptions import ResponseError

from guardtier.sealing import Seal
from guardtier.settings import Settings
from guardtier.store.connection import AWAY, AnyRedis, connect, is_away, refuses_credential, refuses_writes
from guardtier.store.delivery import Delivery
from guardtier.store.pipe import CommandPipe
from guardtier.store.upkeep import Upkeep
from guardtier.verdict import Verdict
from guardtier_workers.clock import now_ms
from guardtier_workers.ending import end
from guardtier_workers.lane import BEAT_SECONDS, Lane
from guardtier_workers.reading import Streams
from guardtier_workers.skew import Skew

log = logging.getLogger(__name__)

TOLD_AGAIN_SECONDS = 30.0  #: while a worker waits for Redis to begin
CHECK_CREDENTIAL = " Check user and password in redis_url"
STALE_SECONDS = 15.0  #: without word from Redis for so long, a worker is not healthy


class StreamWorker:
    """Handles the deliveries of one consumer group, one lane a partition.

    A subclass names its ``group``, lists its ``streams`` and defines ``handle`` and ``bury``. It may
    be killed at any point: what it held is delivered to another worker, and only the scripts' check
    of the state decides what counts.
    """

    group: ClassVar[str]
    kind: ClassVar[str]

    def __init__(self, settings: Settings, *, name: str | None = None) -> None:
        self.settings = settings
        self.name = name or f"{self.kind}-{socket.gethostname()[:20]}-{os.getpid()}-{uuid4().hex[:6]}"
        self._redis: AnyRedis = connect(settings.redis_url)
        self.upkeep = Upkeep(self._redis, settings.partitions)
        self.lanes: list[Lane] = []
        self.ready = asyncio.Event()
        self._started = now_ms()
        self._skew = Skew(self._redis)
        self.pipes: list[CommandPipe] = []  #: that handlers wait for, beside their lane's
        self.seal: Seal = Verdict.to_json  #: how verdicts become bytes; whoever decides signs them

    async def streams(self, partition: int) -> Streams:
        """The streams to read: key → fleet, or None where the stream is no fleet's."""
        raise NotImplementedError

    async def handle(self, lane: Lane, delivery: Delivery) -> None:
        """Do the work of one delivery and acknowledge it, in one script."""
        raise NotImplementedError

    async def bury(self, lane: Lane, delivery: Delivery) -> None:
        """End a delivery that was handed out too often: park or refuse it, with a dead letter."""
        raise NotImplementedError

    def says(self, partition: int) -> dict[str, Any]:
        """What its heartbeat in a partition says besides what every worker's does. It must be JSON."""
        return {"kind": self.kind, "started": self._started}

    async def join(self) -> None:
        """Look whether it may work beside those that live. Raises ConfigError where it must not start."""

    def is_held_up(self) -> bool:
        """Whether handlers may wait for Redis, of any partition or fleet: then none has hung."""
        return any(pipe.is_stuck for pipe in (*self.pipes, *(lane.pipe for lane in self.lanes)))

    def loops(self, lane: Lane) -> list[Coroutine[Any, Any, None]]:
        """What runs for a lane until the worker ends."""
        return [lane.read(), lane.keep_up()]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then drain. Raises what a lane can't survive."""
        try:
            await self._until_prepared(stop)
            self.lanes = [self._lane(partition) for partition in range(self.settings.partitions)]
            await self._work(stop)
        finally:
            await asyncio.gather(*(lane.close() for lane in self.lanes))
            await self._redis.aclose()

    @property
    def health(self) -> dict[str, object]:
        """What ``/healthz`` says; ``ok`` is False while Redis has not been heard of for a while, and while
        this machine's clock is not Redis'.
        """
        fresh = [monotonic() - lane.seen_redis_at < STALE_SECONDS for lane in self.lanes]
        return {
            "ok": bool(fresh) and all(fresh) and not self._skew.is_off,
            "clock_ahead_seconds": round(self._skew.seconds, 1),
            "worker": self.name,
            "kind": self.kind,
            "handled": sum(lane.handled for lane in self.lanes),
            "in_work": sum(lane.in_work for lane in self.lanes),
            "tasks": len(asyncio.all_tasks()),
        }

    async def _work(self, stop: asyncio.Event) -> None:
        await self._beat()
        await self._join_again()
        loops = [asyncio.create_task(loop) for lane in self.lanes for loop in self.loops(lane)]
        loops.append(asyncio.create_task(self._skew.watch()))
        stopping = asyncio.create_task(stop.wait())
        self.ready.set()
        try:
            done, _ = await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._skew.stop()
            for lane in self.lanes:
                lane.stop()
            await end([stopping, *loops])
        log.info("%s drains", self.name)
        await asyncio.gather(*(lane.drain(self.settings.drain_seconds) for lane in self.lanes))
        for task in done:
            if task is not stopping:
                task.result()

    async def _beat(self) -> None:
        for lane in self.lanes:
            with suppress(*AWAY, ResponseError):  # it is tried again each second
                await lane.beat()

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self._beat()

    async def _join_again(self) -> None:
        """Of those that start at once each has looked before the others said that they live.

        It says so for as long as it looks: two that are both silent for a while would both be let in.
        """
        beating = asyncio.create_task(self._keep_beating())
        try:
            try:
                with suppress(*AWAY):
                    await self.join()
            finally:
                await end([beating])
        except BaseException:
            for lane in self.lanes:
                await lane.redis.delete(lane.keys.alive(self.group, self.name))
            raise

    def _lane(self, partition: int) -> Lane:
        return Lane(
            self.settings,
            partition,
            group=self.group,
            consumer=self.name,
            streams=self.streams,
            handle=self.handle,
            bury=self.bury,
            prepare=self.prepare,
            says=self.says,
            seal=self.seal,
            held_up=self.is_held_up,
        )

    async def prepare(self) -> None:
        """Make what this worker reads from: the groups and the configured fleets."""
        await self.upkeep.prepare(self.settings.fleets)

    async def _until_prepared(self, stop: asyncio.Event) -> None:
        told, when = "", 0.0
        while not stop.is_set():
            try:
                await self.prepare()
                await self.join()
                if told:
                    log.info("%s has Redis now", self.name)
                return
            except Exception as error:
                if not (is_away(error) or refuses_writes(error)):
                    raise
                says = f"{error}{CHECK_CREDENTIAL if refuses_credential(error) else ''}"
                if says != told or monotonic() - when >= TOLD_AGAIN_SECONDS:
                    log.warning("%s waits for Redis: %s", self.name, says)
                    told, when = says, monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.2)
