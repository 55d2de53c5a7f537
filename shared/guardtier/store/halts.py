"""Halts: a fleet, an agent or a conversation is stopped, and goes on."""

from __future__ import annotations

from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition
from guardtier.verdict import Verdict

MARK_MS = 3_600_000  #: a request that took effect is known for so long; it is valid for 20 minutes


class Halts(Scripts):
    """The part of the ledger that stops what is new. Halts are JSON: policy/halts.py says what is in it."""

    async def halt(
        self, delivery: Delivery, *, scope: str, fleet: str, halt: bytes, by: str, reason: str
    ) -> Transition:
        """Set a halt, at the request of an approver, already checked. It acknowledges nothing.

        ``state`` is the halt that the request set, also where it comes once more (``again``);
        ``unknown`` for a fleet that nobody registered.
        """
        keys = self._keys
        return await self._run(
            "halt",
            [keys.halts, keys.audit, keys.asked(delivery.id), keys.fleets],
            [delivery.id, scope, fleet, halt, by, reason, MARK_MS],
        )

    async def resume(
        self,
        delivery: Delivery,
        *,
        scope: str,
        fleet: str,
        halt: bytes,
        by: str,
        reason: str,
        details: bytes,
        told: str,
    ) -> Transition:
        """Lift this very halt (b"" for none), and tell the approver; ``moved`` where another stands."""
        keys = self._keys
        return await self._run(
            "resume",
            [
                keys.halts,
                delivery.stream,
                keys.audit,
                keys.told(told),
                keys.asked(delivery.id),
                keys.lifted(scope),
                keys.fleets,
            ],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                scope,
                fleet,
                halt,
                by,
                reason,
                details,
                self._keep.reply_ms,
                MARK_MS,
            ],
        )

    async def stop(
        self,
        action_id: str,
        *,
        fleet: str,
        agent: str,
        waiters: str,
        digest: str,
        scope: str,
        halt: bytes,
        verdict: Verdict | None,
        by: str,
        reason: str,
        details: bytes,
    ) -> Transition:
        """Reject a parked action under this halt; no ``verdict``: tell its clients that it is halted.

        ``stale`` where it is parked no more, ``lifted`` where the halt does not stand any more,
        ``digest`` where it was edited.
        """
        keys = self._keys
        fixed = [keys.action(action_id), keys.parked, keys.audit, keys.open(fleet, agent), keys.halts]
        tail = [
            digest,
            scope,
            halt,
            self._seal(verdict) if verdict is not None else b"",
            by,
            reason,
            details,
            self._keep.record_ms,
            self._keep.reply_ms,
        ]
        return await self._with_waiters("stop", fixed, [action_id], tail, fleet, waiters)

    async def reported(self, delivery: Delivery, *, what: str, body: bytes, told: str) -> Transition:
        """Tell an approver what came of a request, and acknowledge it."""
        return await self._run(
            "reported",
            [delivery.stream, self._keys.told(told)],
            [delivery.group, delivery.entry, delivery.id, what, body, self._keep.reply_ms],
        )

    async def spread(
        self, action_id: str, *, scope: str, fleet: str, halt: bytes, at: int, by: str, reason: str
    ) -> Transition:
        """Set a halt here too that a script set in another partition ``at`` (ms since 1970)."""
        keys = self._keys
        return await self._run(
            "spread",
            [keys.halts, keys.audit, keys.lifted(scope)],
            [action_id, scope, fleet, halt, at, by, reason],
        )
