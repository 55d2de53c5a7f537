"""Sweep: what becomes of the parked actions of a scope that is halted: rejected, or told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from time import monotonic

import orjson

from guardtier.errors import InvalidAction
from guardtier.policy.halts import Halt, Scope
from guardtier.store.delivery import Delivery
from guardtier.store.records import Record, Records
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.clock import now_ms
from guardtier_workers.lane import Lane
from guardtier_workers.stopping import stop_of

log = logging.getLogger(__name__)

CHUNK = 20  #: records of one round trip: a record may hold 1 MiB
KEEP_SECONDS = 3.0  #: so often the request is claimed anew, so that no other worker begins it again


class Sweep:
    """One pass over the parked actions of one partition. It may be repeated: each is looked at anew."""

    def __init__(
        self, lane: Lane, delivery: Delivery, records: Records, scope: Scope, halt: Halt, raw: bytes
    ) -> None:
        self._lane, self._delivery, self._records = lane, delivery, records
        self._scope, self._halt, self._raw = scope, halt, raw
        self.rejected = 0
        self.waiting = 0
        self.standing = True  #: False once somebody has lifted the halt: then it ends

    async def run(self, *, reject: bool) -> None:
        """Reject what the halt covers; where not to ``reject``, tell the clients that wait for it."""
        claimed = monotonic()
        async for ids in self._pages():
            if not self.standing:
                return
            mine = [record for record in await self._records.many(ids) if self._covers(record)]
            await asyncio.gather(*(self._stop(record, reject=reject) for record in mine))
            if monotonic() - claimed > KEEP_SECONDS:
                await self._lane.keep(self._delivery)
                claimed = monotonic()

    async def _pages(self) -> AsyncIterator[list[str]]:
        """Each id that is parked all the while, at least once."""
        ids: list[str] = []
        async for name, _ in self._lane.redis.zscan_iter(self._lane.keys.parked, count=500):
            ids.append(name.decode())
            if len(ids) == CHUNK:
                yield ids
                ids = []
        yield ids

    def _covers(self, record: Record) -> bool:
        try:
            conversation = record.action.conversation
        except InvalidAction:  # a dead letter: nobody knows whose it is, but for its fleet
            conversation = None
        return self._scope.covers(record.fleet, record.agent, conversation)

    async def _stop(self, record: Record, *, reject: bool) -> None:
        done = await self._lane.ledger.stop(
            record.id,
            fleet=record.fleet,
            agent=record.agent,
            waiters=record.waiters,
            digest=record.digest,
            scope=self._scope.key,
            halt=self._raw,
            verdict=self._verdict(record) if reject else None,
            by=self._halt.by,
            reason=self._halt.reason,
            details=orjson.dumps({"halt": self._scope.key}),
        )
        if done.what == "digest":  # edited meanwhile
            await self._stop(await self._records.get(record.id), reject=reject)
        elif done.what == "lifted":
            self.standing = False
        elif done.what != "stale":
            self.rejected += done.what == "rejected"
            self.waiting += done.what == "told"

    def _verdict(self, record: Record) -> Verdict:
        stop = stop_of(self._halt)
        return Verdict(
            id=record.id,
            outcome=Outcome.REJECTED,
            digest=record.digest,
            risk=record.assessment.risk,
            findings=stop.told_in(record.assessment).findings,
            reason=stop.reason,
            policy=record.policy or "",
            decided_by=(self._halt.by,),
            decided_at=now_ms(),
            rules=(stop.rule,),
            edited_from=record.asked,
        )
