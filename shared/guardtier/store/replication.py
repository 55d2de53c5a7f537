"""Replication: whether what a client was told is on so many replicas, so that no failover takes it back.

Redis replicates behind its answers: a master that dies may have told what its replica never heard of. A
client that asks for replicas believes a verdict that allows a run only once they have it. The entry by
which it was told is looked up, something that changes nothing is written (a message to a channel that
nobody reads), and WAIT counts the replicas that have come so far, all over one connection: so it is one
server's history that holds the verdict and that its replicas have.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from typing import Any

from guardtier.errors import ConfigError, TierUnavailable
from guardtier.store.cluster import Cluster
from guardtier.store.connection import (
    ANSWER_SECONDS,
    AnyRedis,
    is_away,
    refuses_writes,
    trouble_of,
    wire_to,
)
from guardtier.store.keys import Keys

WAIT_MS = 500  #: until the replicas are counted once more
PAUSE = 0.05  #: seconds, while Redis is away

ENV = "GUARDTIER_REPLICAS"
MOST = 64  #: replicas that may be asked for

_Asked = tuple[str, "asyncio.Future[bool]"]


def replicas_of(given: int | None) -> int:
    """How many replicas a client asks for: what it is given, else what GUARDTIER_REPLICAS says, else 0.

    Raises ConfigError for what is no number from 0 to 64, also where the variable is set and empty.
    """
    told = os.environ.get(ENV) if given is None else str(given)
    if told is None:
        return 0
    if not (told.isascii() and told.isdecimal() and len(told) < 5 and int(told) <= MOST):
        where = f"{ENV}={told[:20]!r}" if given is None else repr(given)
        raise ConfigError(f"replicas: {where} is no number from 0 to {MOST}", field="replicas", limit=MOST)
    return int(told)


class Replication:
    """Asks for many calls at once. What is asked while a question is on its way waits for the next."""

    def __init__(self, redis: AnyRedis, replicas: int) -> None:
        self._wire = wire_to(redis, answer_seconds=ANSWER_SECONDS)
        # PUBLISH reaches a cluster's replicas over the bus, beside what is replicated.
        self._publish = "SPUBLISH" if isinstance(redis, Cluster) else "PUBLISH"
        self._replicas = replicas
        self._asked: dict[tuple[int, str], list[_Asked]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.trouble: str | None = None  #: why nothing is confirmed at the moment

    async def holds(self, partition: int, stream: str, entry: str) -> bool:
        """True once so many replicas have this entry of a stream; False where it is not there (any more).

        Waits for as long as there are fewer. Raises TierUnavailable where it may not ask.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[partition, stream].append((entry, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="guardtier-replication")
        return await future

    async def close(self) -> None:
        self._closed = True  # redis-py may turn a cancellation into an error of its own
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._wire.close()

    async def _run(self) -> None:
        try:
            while self._asked and not self._closed:
                (partition, stream), asked = self._asked.popitem()
                asked = [(entry, future) for entry, future in asked if not future.done()]
                if asked:
                    await self._ask(partition, stream, asked)
        finally:
            self._task = None

    async def _ask(self, partition: int, stream: str, asked: list[_Asked]) -> None:
        looks: list[tuple[Any, ...]] = [("XRANGE", stream, entry, entry) for entry, _ in asked]
        write = (self._publish, Keys(partition).replicated, "")
        try:
            *found, _, count = _whole(
                await self._wire.round_trip([*looks, write, ("WAIT", self._replicas, WAIT_MS)])
            )
        except Exception as error:
            await self._failed(partition, stream, asked, error)
            return
        for (entry, future), there in zip(asked, found, strict=False):
            if there and count < self._replicas:
                self.trouble = f"{count} of {self._replicas} replicas have the verdict"
                self._asked[partition, stream].append((entry, future))
            elif not future.done():
                self.trouble = None
                future.set_result(bool(there))

    async def _failed(self, partition: int, stream: str, asked: list[_Asked], error: Exception) -> None:
        if is_away(error) or refuses_writes(error):
            self.trouble = trouble_of(error)
            self._asked[partition, stream] += asked
            await asyncio.sleep(PAUSE)
            return
        for _, future in asked:
            if not future.done():
                future.set_exception(TierUnavailable(f"replicas can't be asked for: {error}"))


def _whole(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return replies
