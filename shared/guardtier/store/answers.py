"""Answers: what approvers say takes effect."""

from __future__ import annotations

from dataclasses import dataclass

from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition
from guardtier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an approver's answer comes to. ``verdict`` is None where more answers are needed.

    ``seen`` are the votes (JSON) that it was counted with, ``votes`` those with this answer; the same
    where this answer is among them already, then it is only told again.
    """

    digest: str  #: of the action which the approver saw
    seen: bytes
    votes: bytes
    verdict: Verdict | None
    counted: bytes  #: what the approver is told where there is no verdict (JSON)
    approver: str
    reason: str
    details: bytes  #: what the audit line says besides (JSON)
    block: bytes = b""  #: on actions that are identical to the rejected one (JSON)
    blocked: str = ""  #: their digest, where it is another than the one that the approver saw
    block_ms: int = 0
    revised: str = ""  #: proof of the edit that stood when it was counted; "" for none
    terms: bytes = b""  #: that it was counted under (JSON), as the record has them
    received_at: int = 0  #: when the action of that record came (ms since 1970)
    outbox: tuple[tuple[str, bytes], ...] = ()  #: what is to be done outside of this partition


class Answers(Scripts):
    """The part of the ledger that approvers' answers move."""

    async def resolve(
        self,
        delivery: Delivery,
        made: Resolution,
        *,
        fleet: str,
        agent: str,
        waiters: str,
        told: str,
    ) -> Transition:
        """Let an approver's answer, already checked and counted, take effect.

        ``answered`` where more are needed; ``moved`` where other votes, other terms, another edit or
        another record stand than were seen: count again.
        """
        keys, action_id = self._keys, delivery.id
        fixed = [
            keys.action(action_id),
            delivery.stream,
            keys.parked,
            keys.audit,
            keys.told(told),
            keys.open(fleet, agent),
            keys.block(made.blocked or made.digest),
            keys.outbox,
            keys.pace(fleet, agent),
        ]
        head = [delivery.group, delivery.entry, action_id]
        tail = [
            made.digest,
            made.seen,
            made.votes,
            made.verdict.outcome.value if made.verdict is not None else "answered",
            self._seal(made.verdict) if made.verdict is not None else b"",
            made.counted,
            made.approver,
            made.reason,
            made.details,
            self._keep.record_ms,
            self._keep.reply_ms,
            made.block,
            made.block_ms,
            made.revised,
            made.terms,
            made.received_at,
            *(part for entry in made.outbox for part in entry),
        ]
        return await self._with_waiters("resolve", fixed, head, tail, fleet, waiters)

    async def block(
        self, action_id: str, *, fleet: str, digest: str, by: str, block: bytes, until: int
    ) -> Transition:
        """Refuse what is identical to an action that was rejected in another partition, until then (ms).

        ``again``, ``stale`` (one stands that lasts longer) or ``late`` where nothing changed.
        """
        return await self._run(
            "block",
            [self._keys.block(digest), self._keys.audit],
            [action_id, fleet, digest, by, block, until, b'{"until":%d}' % until],
        )

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
