"""Answers: what approvers say takes effect."""

from __future__ import annotations

from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition
from guardtier.verdict import Verdict


class Answers(Scripts):
    """The part of the ledger that approvers' answers move."""

    async def resolve(
        self,
        delivery: Delivery,
        verdict: Verdict,
        *,
        fleet: str,
        agent: str,
        waiters: str,
        approver: str,
        proof: str,
        told: str,
    ) -> Transition:
        """Let an approver's answer, already checked, take effect: ``verdict`` says which it is."""
        keys, action_id = self._keys, delivery.id
        fixed = [
            keys.action(action_id),
            delivery.stream,
            keys.parked,
            keys.audit,
            keys.told(told),
            keys.open(fleet, agent),
        ]
        head = [delivery.group, delivery.entry, action_id]
        tail = [
            verdict.digest,
            verdict.outcome.value,
            verdict.to_json(),
            approver,
            verdict.reason,
            proof,
            self._keep.record_ms,
            self._keep.reply_ms,
        ]
        return await self._with_waiters("resolve", fixed, head, tail, fleet, waiters)

    async def configure(
        self,
        delivery: Delivery,
        *,
        fleet: str,
        replaces: bytes,
        policy: bytes,
        version: str,
        was: str,
        approver: str,
        told: str,
    ) -> Transition:
        """Let a fleet's policy take effect that an approver has set.

        ``moved`` where another one stands than ``replaces``, ``unknown`` for a fleet that nobody
        registered.
        """
        keys, entry = self._keys, (delivery.group, delivery.entry, delivery.id)
        return await self._run(
            "configure",
            [keys.policies, delivery.stream, keys.audit, keys.told(told), keys.fleets],
            [*entry, fleet, replaces, policy, version, was, approver, self._keep.reply_ms],
        )
