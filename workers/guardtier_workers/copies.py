"""Copies: records of what was parked last, read ahead, so that an answer need not wait for Redis.

A copy is a guess. Whatever is counted with one is compared in ``resolve.lua`` (votes, terms, edit,
digest, and whether it is still the same record) and counted anew where something else stands; what a
copy would refuse is looked up first.
"""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import RedisError

from guardtier.errors import GuardtierError
from guardtier.state import State
from guardtier.store.records import Asked, Record, Records
from guardtier_workers.clock import now_ms
from guardtier_workers.lane import Lane

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 1024 * 1024  #: of all actions that copies are kept of, as they were received
MOST_COPIES = 2_000
SWEEP = 200  #: copies, after which those go whose deadline has passed: of these nobody asks any more
LONGEST = 64 * 1024  #: bytes of an action: reading a megabyte takes 0.5 s, in which nothing is decided


class Copies:
    """The newest ones, up to 4 MiB of actions; each serves once."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._kept: dict[str, Record] = {}  # the oldest first
        self._bytes = self._swept = 0
        self._reading: set[asyncio.Task[None]] = set()
        self._asked: dict[str, Asked] = {}  # on their way

    def keep(self, action_id: str, lane: Lane) -> None:
        """Read the record of what was just parked, behind the back of whatever comes next."""
        if len(self._reading) < MOST_COPIES:
            task = asyncio.create_task(self._read(action_id, lane))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    @property
    def is_reading(self) -> bool:
        """Whether a record is on its way."""
        return bool(self._reading)

    def take(self, action_id: str) -> Record | Asked | None:
        """The copy, if there is one, or what is on its way. It is not kept any longer."""
        return self._drop(action_id) or self._asked.get(action_id)

    async def _read(self, action_id: str, lane: Lane) -> None:
        try:
            self._asked[action_id] = self._records.ask(action_id, lane.pipe)
            record = await self._asked[action_id].get()
        except (GuardtierError, RedisError, OSError) as error:
            log.debug("no copy of %s is kept: %s", action_id, error)
            return
        finally:
            self._asked.pop(action_id, None)
        is_kept = record.state is State.PARKED and len(record.event) <= LONGEST
        if is_kept and record.is_readable:  # read here, not while an approver waits
            self.put(record)

    def put(self, record: Record) -> None:
        """Keep this one; the oldest go where there are too many."""
        self._drop(record.id)
        self._kept[record.id] = record
        self._bytes += len(record.event)
        self._swept += 1
        if self._swept >= SWEEP:
            self._swept = 0
            self._sweep(now_ms())
        while self._bytes > MOST_BYTES or len(self._kept) > MOST_COPIES:
            self._drop(next(iter(self._kept)))

    def _sweep(self, now: int) -> None:
        over = [name for name, record in self._kept.items() if (record.deadline or now) < now]
        for name in over:
            self._drop(name)

    def _drop(self, action_id: str) -> Record | None:
        record = self._kept.pop(action_id, None)
        if record is not None:
            self._bytes -= len(record.event)
        return record
