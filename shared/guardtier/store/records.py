"""Reading: one action's record, and the confirmation set."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Sequence
from itertools import islice
from typing import Any

from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterPipeline
from redis.exceptions import ResponseError

from guardtier.action import no_full_id, partition_of
from guardtier.errors import UnknownAction, UnreadableRecord
from guardtier.store.connection import AnyRedis, is_away
from guardtier.store.keys import Keys, all_keys
from guardtier.store.pipe import CommandPipe
from guardtier.store.record import FIELDS, Record, as_text

__all__ = ["MAX_TEXT", "Asked", "Record", "Records", "read_row", "record_fields", "rows_of"]

log = logging.getLogger(__name__)

MAX_TEXT = 256 * 1024  #: bytes of a policy file


class Asked:
    """A record that was asked for. Whoever loses interest need not wait for it."""

    def __init__(self, action_id: str, reply: asyncio.Future[list[bytes | None]]) -> None:
        self._id, self._reply = action_id, reply
        reply.add_done_callback(_looked_at)

    async def get(self) -> Record:
        """Raises UnknownAction where there is none, UnreadableRecord where it is damaged."""
        return _found(self._id, await self._reply)


class Records:
    """Reads of every partition. It writes nothing, so a dashboard's credential is enough."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._redis = redis
        self._keys = all_keys(partitions)

    async def get(self, action_id: str) -> Record:
        """One record. Raises InvalidAction for what is no full id, UnknownAction where there is none, and
        UnreadableRecord where it is damaged.
        """
        key = self._partition(action_id).action(action_id)
        return _found(action_id, await self._redis.hmget(key, list(FIELDS)))  # type: ignore[misc]

    async def original(self, action_id: str) -> bytes:
        """An edited action as its agent sent it; b"" where nobody has edited it. Raises InvalidAction."""
        key = self._partition(action_id).action(action_id)
        return await self._redis.hget(key, "original") or b""  # type: ignore[misc]

    def ask(self, action_id: str, pipe: CommandPipe) -> Asked:
        """Ask for one record, by the pipe of its partition, and go on meanwhile. Raises InvalidAction."""
        key = self._partition(action_id).action(action_id)
        return Asked(action_id, pipe.post("HMGET", key, *FIELDS))

    async def pending(self, *, limit: int = 50, after: int = 0) -> list[Record]:
        """The confirmation set, the nearest deadline first; ``after`` skips as many."""
        wanted = after + limit
        pages = await asyncio.gather(
            *(self._redis.zrange(keys.parked, 0, wanted - 1, withscores=True) for keys in self._keys)
        )
        order = heapq.merge(*([(score, as_text(name)) for name, score in page] for page in pages))
        return await self.many([name for _, name in islice(order, after, wanted)])

    async def count(self) -> int:
        """How many actions are parked."""
        return sum(await asyncio.gather(*(self._redis.zcard(k.parked) for k in self._keys)))

    async def policies(self, fleet: str) -> list[bytes]:
        """The policy set for a fleet at run time, as it is kept in each partition; b"" for none.

        ``*``: which policy file stands.
        """
        return await asyncio.gather(*(self.policy(keys.partition, fleet) for keys in self._keys))

    async def policy(self, partition: int, fleet: str) -> bytes:
        """The same of one partition."""
        found = await self._redis.hget(self._keys[partition].policies, fleet)  # type: ignore[misc]
        return found or b""

    async def is_stopped(
        self, partition: int, fleet: str, agent: str, conversation: str, digest: str
    ) -> bool:
        """Whether a halt or a block stands above an action at this moment; only ``decide.lua`` decides."""
        keys = self._keys[partition]
        whose = f"{fleet} {agent}"
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(keys.halts, [fleet, whose, f"{whose} {conversation}"])
        pipeline.exists(keys.block(digest))
        halts, blocked = await pipeline.execute()
        return bool(blocked) or any(halt is not None for halt in halts)

    async def policy_text(self, partition: int, digest: str) -> bytes | None:
        """The text of a policy file that is kept in a partition; None where it is not, or is no text.

        No more than a byte above the limit is read, so whatever stands there costs no more.
        """
        key = self._keys[partition].policy_text(digest)
        try:
            found: bytes = await self._redis.getrange(key, 0, MAX_TEXT)
        except ResponseError as error:
            if is_away(error):
                raise
            return None
        return found or None

    async def due(self, partition: int, *, now_ms: int, limit: int, after: int = 0) -> list[str]:
        """The ids of parked actions whose deadline has passed, the oldest first; ``after`` skips some."""
        found = await self._redis.zrangebyscore(
            self._keys[partition].parked, "-inf", now_ms, start=after, num=limit
        )
        return [as_text(name) for name in found]

    async def many(self, ids: Sequence[str]) -> list[Record]:
        """Those of the records that there are and can be read, in one round trip."""
        if not ids:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for action_id in ids:
            pipeline.hmget(self._partition(action_id).action(action_id), list(FIELDS))
        rows = await rows_of(pipeline)
        found = (read_row(name, row) for name, row in zip(ids, rows, strict=True))
        return [record for record in found if record is not None]

    def _partition(self, action_id: str) -> Keys:
        partition = partition_of(action_id)
        if partition is None or partition >= len(self._keys):
            raise no_full_id(action_id)
        return self._keys[partition]


def _found(action_id: str, values: Sequence[bytes | None]) -> Record:
    try:
        record = Record.from_fields(action_id, values)
    except ValueError as error:
        raise UnreadableRecord(
            f"the record of {action_id} is damaged in Redis and can't be read: no answer counts",
            field="id",
        ) from error
    if record is None:
        raise UnknownAction(f"no action {action_id}: never published, or past its retention", field="id")
    return record


def _looked_at(reply: asyncio.Future[Any]) -> None:
    """An error that nobody waits for is none of the log's."""
    if not reply.cancelled():
        reply.exception()


async def rows_of(pipeline: Pipeline | ClusterPipeline) -> list[Any]:
    """The rows that a pipeline of HMGETs gives. What is no record at all is an error in its own row."""
    rows: list[Any] = await pipeline.execute(raise_on_error=False)
    for row in rows:
        if isinstance(row, Exception) and not str(row).startswith("WRONGTYPE"):
            raise row
    return rows


def read_row(action_id: str, row: Sequence[bytes | None] | ResponseError) -> Record | None:
    """A record; None for one that is gone, or damaged: that one stays as it is, and hides no other."""
    try:
        if not isinstance(row, ResponseError):
            return Record.from_fields(action_id, row)
    except ValueError:
        pass
    log.warning("the record of %s is damaged in Redis: it is left out", action_id)
    return None


def record_fields() -> list[str]:
    """What :meth:`Record.from_fields` takes, in its order."""
    return list(FIELDS)
