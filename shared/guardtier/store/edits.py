"""Edits: an approver's changed arguments are rated, and take effect or not."""

from __future__ import annotations

from dataclasses import dataclass

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import GuardtierError
from guardtier.store.decisions import Circumstances
from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition
from guardtier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Revision:
    """What an edit comes to. ``verdict`` is None where the edited action is parked.

    ``edit`` and ``seen`` (JSON) are the edit and the votes as the record was seen to have them, ``body``
    (JSON) what its approver is told where there is no verdict.
    """

    edit: bytes
    proof: str
    told: str  #: the approver's client
    approver: str
    reason: str
    action: ActionEvent
    event: bytes
    assessment: Assessment
    policy: str
    terms: bytes
    votes: bytes
    verdict: Verdict | None
    body: bytes
    details: bytes  #: what the audit line says besides (JSON)
    under: Circumstances
    seen: bytes = b""
    outbox: tuple[tuple[str, bytes], ...] = ()  #: what is to be done where it stays parked


class Edits(Scripts):
    """The part of the ledger that approvers' edits move."""

    async def edit(
        self,
        delivery: Delivery,
        *,
        fleet: str,
        told: str,
        seen: str,
        edit: bytes,
        proof: str,
        event: bytes,
        body: bytes,
    ) -> Transition:
        """Have an edit rated. ``busy`` where another one is being rated, ``moved`` where this very one has
        taken effect since the caller looked.
        """
        keys, entry = self._keys, (delivery.group, delivery.entry, delivery.id)
        return await self._run(
            "edit",
            [keys.action(delivery.id), delivery.stream, keys.told(told), keys.edits],
            [*entry, seen, edit, proof, event, fleet, body, self._keep.reply_ms],
        )

    async def rated(
        self, delivery: Delivery, action: ActionEvent, assessment: Assessment, *, event: bytes | None = None
    ) -> Transition:
        """Hand an edited action's rating to the policy workers; ``stale`` where nobody waits for it.

        ``event``: what is kept of it, where that is not all; then the entry goes.
        """
        keys, entry = self._keys, (delivery.group, delivery.entry, delivery.id)
        return await self._run(
            "rated",
            [keys.action(delivery.id), delivery.stream, keys.assessed],
            [
                *entry,
                delivery.text(b"proof"),
                action.fleet,
                action.agent,
                action.tool_name,
                action.conversation or "",
                action.digest,
                delivery.fields[b"payload"] if event is None else event,
                assessment.to_json(),
                "" if event is None else "1",
            ],
        )

    async def revise(self, delivery: Delivery, made: Revision, *, waiters: str) -> Transition:
        """Let a rated edit take effect. ``edit`` where it is not the record's any more, ``moved`` where the
        votes are others, or with the circumstances that stand where those are.
        """
        keys, action = self._keys, made.action
        fixed = [
            keys.action(delivery.id),
            delivery.stream,
            keys.parked,
            keys.audit,
            keys.told(made.told),
            keys.policies,
            keys.halts,
            keys.block(action.digest),
            keys.pace(action.fleet, action.agent),
            keys.outbox,
        ]
        head = [delivery.group, delivery.entry, delivery.id]
        tail = [
            made.edit,
            made.proof,
            *made.under,
            action.agent,
            action.conversation or "",
            made.verdict.outcome.value if made.verdict is not None else "parked",
            self._seal(made.verdict) if made.verdict is not None else b"",
            made.body,
            action.digest,
            made.event,
            made.assessment.to_json(),
            made.terms,
            made.votes,
            made.policy,
            made.approver,
            made.reason,
            made.details,
            self._keep.record_ms,
            self._keep.reply_ms,
            made.seen,
            *(part for entry in made.outbox for part in entry),
        ]
        return await self._with_waiters("revise", fixed, head, tail, action.fleet, waiters)

    async def drop_edit(
        self,
        delivery: Delivery,
        *,
        edit: bytes = b"",
        told: str = "",
        approver: str = "",
        error: GuardtierError | None = None,
        dead_letter: str = "",
    ) -> Transition:
        """End an edit that does not take effect; without one, only acknowledge its rating.

        ``moved`` where the record has another form of it by now: look again.
        """
        keys = self._keys
        return await self._run(
            "drop_edit",
            [keys.action(delivery.id), delivery.stream, keys.audit, keys.dead, keys.told(told)],
            [
                *(delivery.group, delivery.entry, delivery.id),
                edit,
                approver,
                error.to_json() if error else b"",
                self._keep.reply_ms,
                dead_letter,
                delivery.fields.get(b"proof", b""),
            ],
        )
