"""Decisions: assessed → released, rejected, parked; and what time does to parked actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition
from guardtier.verdict import Verdict


class Circumstances(NamedTuple):
    """What a decision is made under, as Redis keeps it; b"" where nothing is kept, b"!" where what is
    kept can't be read: then the action is parked.
    """

    policy: bytes = b""  #: the fleet's, set at run time
    file: bytes = b""  #: which policy file stands
    halt: bytes = b""  #: the widest halt that covers the action
    block: bytes = b""  #: why this very action is refused at once


NOTHING = Circumstances()


class Limits(NamedTuple):
    """An agent's budget; 0: no limit. Whoever is over it is halted as ``over_pace`` says, or
    ``over_rejections`` (JSON, which a script puts into the halts, and into the outbox where ``spread``).
    """

    a_minute: int = 0
    in_a_row: int = 0
    over_pace: bytes = b""
    over_rejections: bytes = b""
    spread: bool = False


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy worker decided. ``verdict`` is None where it parks, then ``park_ms`` counts."""

    outcome: str
    policy: str
    verdict: Verdict | None = None
    park_ms: int = 0
    terms: bytes = b""  #: what it is parked under (JSON); b"": the usual
    details: bytes = b""  #: what the audit line says besides (JSON); b"": nothing
    outbox: tuple[tuple[str, bytes], ...] = ()  #: what is to be done outside of this partition
    assessment: bytes = b""  #: of what is parked, with what holds it; b"": as it was rated
    limits: Limits = NO_LIMITS
    sealed: bytes = b""  #: signature on what stands in place of a parked action with secrets
    #: where others stand, nothing is decided. None: for what is parked whatever they are.
    under: Circumstances | None = NOTHING


@dataclass(frozen=True, slots=True)
class HaltLeft:
    """What an action that nobody answered leaves halted: ``scope`` is "fleet agent[ conversation]"."""

    scope: str = ""
    halt: bytes = b""  #: as it is kept (JSON)
    by: str = ""
    reason: str = ""
    outbox: tuple[tuple[str, bytes], ...] = ()  #: so that other partitions are halted too


class Decisions(Scripts):
    """The part of the ledger that policy workers and stewards decide by."""

    async def decide(
        self,
        delivery: Delivery,
        decision: Decision,
        *,
        fleet: str,
        agent: str,
        conversation: str,
        digest: str,
        waiters: str,
        dead_letter: str = "",
    ) -> Transition:
        """Release, reject or park an assessed action and tell who waits.

        A parked action's ``state`` is its deadline (ms). Deciding a decided one changes nothing.
        ``moved`` where other circumstances stand than the decision's: ``more`` is those.
        """
        keys, action_id = self._keys, delivery.id
        fixed = [
            keys.action(action_id),
            delivery.stream,
            keys.parked,
            keys.audit,
            keys.dead,
            keys.policies,
            keys.open(fleet, agent),
            keys.halts,
            keys.block(digest),
            keys.outbox,
            keys.pace(fleet, agent),
        ]
        limits = decision.limits
        head = [delivery.group, delivery.entry, action_id]
        tail = [
            decision.outcome,
            self._seal(decision.verdict) if decision.verdict is not None else b"",
            decision.policy,
            b"" if decision.under is None else b"1",
            *(decision.under or Circumstances()),
            fleet,
            agent,
            conversation,
            decision.park_ms,
            self._keep.record_ms,
            self._keep.reply_ms,
            dead_letter,
            decision.terms,
            decision.details,
            decision.assessment,
            limits.a_minute or b"",
            limits.in_a_row or b"",
            limits.over_pace,
            limits.over_rejections,
            b"1" if limits.spread else b"",
            decision.sealed,
            *(part for entry in decision.outbox for part in entry),
        ]
        return await self._with_waiters("decide", fixed, head, tail, fleet, waiters)

    async def clock(self) -> int:
        """The time (ms since 1970) by the clock of this partition's server, which dates deadlines."""
        return int(await self._pipe.script("clock", [self._keys.parked], []))

    async def expire(
        self, verdict: Verdict, *, fleet: str, agent: str, waiters: str, halt: HaltLeft | None = None
    ) -> Transition:
        """End a parked action whose deadline has passed, and halt what ``halt`` names.

        ``early`` where the deadline has not passed, ``moved`` where the action has another digest than the
        verdict: ``more`` is that.
        """
        keys, left = self._keys, halt or HaltLeft()
        fixed = [
            keys.action(verdict.id),
            keys.parked,
            keys.audit,
            keys.open(fleet, agent),
            keys.halts,
            keys.outbox,
        ]
        tail = [
            self._seal(verdict),
            verdict.digest,
            self._keep.record_ms,
            self._keep.reply_ms,
            left.scope,
            left.halt,
            left.by,
            left.reason,
            *(part for entry in left.outbox for part in entry),
        ]
        return await self._with_waiters("expire", fixed, [verdict.id], tail, fleet, waiters)

    async def extend(
        self,
        action_id: str,
        *,
        fleet: str,
        agent: str,
        waiters: str,
        park_ms: int,
        outbox: Sequence[tuple[str, bytes]] = (),
    ) -> Transition:
        """Keep an action waiting whose deadline has passed; ``early`` where it has not.

        Where it is ``extended``, ``state`` is the new deadline (ms).
        """
        keys = self._keys
        fixed = [keys.action(action_id), keys.parked, keys.audit, keys.open(fleet, agent), keys.outbox]
        tail = [
            park_ms,
            self._keep.record_ms,
            self._keep.reply_ms,
            *(part for entry in outbox for part in entry),
        ]
        return await self._with_waiters("extend", fixed, [action_id], tail, fleet, waiters)
