"""Timeouts: what becomes of a parked action that nobody answered in time, as its terms say."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import orjson

from guardtier.errors import GuardtierError
from guardtier.policy.terms import USUAL, Terms
from guardtier.settings import Settings
from guardtier.store.decisions import HaltLeft
from guardtier.store.ledger import Ledger, Transition
from guardtier.store.records import Record, Records
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.clock import now_ms
from guardtier_workers.notices.plan import posted

log = logging.getLogger(__name__)

BY = "guardtier.timeout"  #: who halts where nobody answered
_REASON = "Nobody answered in time, so the action must not run."

#: Called with partition and deadline (ms) of what waits for longer.
Schedule = Callable[[int, int], Awaitable[None]]


class Timeouts:
    """Ends parked actions whose deadline has passed, or lets them wait on."""

    def __init__(self, settings: Settings, records: Records, schedule: Schedule | None = None) -> None:
        self._settings = settings
        self._records = records
        self._schedule = schedule

    async def settle(self, ledger: Ledger, partition: int, action_id: str) -> bool:
        """Do as its terms say. False where nothing was done: its deadline is to come."""
        while True:
            try:
                record = await self._records.get(action_id)
            except ValueError:
                log.exception("the record of %s can't be read: nothing is done at its deadline", action_id)
                return False  # it stays parked, and holds up no other
            except GuardtierError:
                ghost = _expired(action_id, "0" * 64, None)
                done = await ledger.expire(ghost, fleet="", agent="", waiters="")
                return done.what == "stale"
            done = await self._settled(ledger, partition, record)
            if done.what != "moved":  # edited meanwhile: the verdict is about what stands now
                return done.what != "early"

    async def _settled(self, ledger: Ledger, partition: int, record: Record) -> Transition:
        terms = terms_of(record)
        if terms.on_timeout == "wait":
            return await self._extend(ledger, partition, record, terms)
        return await ledger.expire(
            _expired(record.id, record.digest, record),
            fleet=record.fleet,
            agent=record.agent,
            waiters=record.waiters,
            halt=self._halt_left(record) if terms.on_timeout == "halt" else None,
        )

    async def _extend(self, ledger: Ledger, partition: int, record: Record, terms: Terms) -> Transition:
        limit = terms.time_limit
        done = await ledger.extend(
            record.id,
            fleet=record.fleet,
            agent=record.agent,
            waiters=record.waiters,
            park_ms=self._settings.park_ms_of(record.fleet) if limit is None else int(limit * 1000),
            outbox=posted(terms, "extended", now_ms()),
        )
        if done.what == "extended" and self._schedule is not None:
            await self._schedule(partition, int(done.state))
        return done

    def _halt_left(self, record: Record) -> HaltLeft | None:
        """The halt of the agent's conversation; of the agent where it names none."""
        try:
            action = record.action
        except GuardtierError:
            return None  # it can't be read, so nobody knows whose it is
        names = [record.fleet, action.agent, action.conversation]
        scope = " ".join(name for name in names if name)
        reason = f"nobody answered {record.id} in time"
        said = {"reason": reason, "by": BY, "at": now_ms(), "then": "reject", "scope": scope}
        halt = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        others = (("halt", halt),) if self._settings.partitions > 1 else ()
        return HaltLeft(scope, halt, BY, reason, others)


def terms_of(record: Record) -> Terms:
    """What it waits under. Terms that can't be read end it, as the usual ones do."""
    try:
        return Terms.read(record.terms)
    except ValueError:
        log.exception("the terms of %s can't be read: it ends at its deadline", record.id)
        return USUAL


def _expired(action_id: str, digest: str, record: Record | None) -> Verdict:
    assessment = record.assessment if record else None
    return Verdict(
        id=action_id,
        outcome=Outcome.EXPIRED,
        digest=digest,
        risk=assessment.risk if assessment else "UNKNOWN",
        findings=assessment.findings if assessment else (),
        reason=_REASON,
        policy=(record.policy if record else None) or "",
        decided_at=now_ms(),
        edited_from=record.asked if record else None,
    )
