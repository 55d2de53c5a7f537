"""ApproverClient: how people (and services) see what is parked, and answer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from guardtier.approver_answers import ApproverAnswers
from guardtier.approver_dead import ApproverDead
from guardtier.approver_edits import ApproverEdits
from guardtier.approver_grants import ApproverGrants
from guardtier.approver_halts import HaltMethods
from guardtier.approver_looks import ApproverLooks
from guardtier.approver_policies import ApproverPolicies, PartitionFile, PartitionPolicy
from guardtier.store.keys import all_keys
from guardtier.store.tail import Fields, Tail

__all__ = ["ApproverClient", "AuditEvent", "PartitionFile", "PartitionPolicy"]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit stream. ``at`` is in milliseconds since 1970, Redis' clock."""

    id: str
    event: str
    at: int
    fields: dict[str, str]


class ApproverClient(
    ApproverLooks,
    ApproverAnswers,
    ApproverEdits,
    ApproverPolicies,
    ApproverGrants,
    ApproverDead,
    HaltMethods,
):
    """Reads the confirmation set, and answers with the token of one approver.

    With a token it shows that approver's fleets, by way of the tier; without one it can only read, what
    its Redis credential may. The tier decides whether an answer counts: it checks the proof, the fleets
    of the approver, the state and the digest.
    """

    async def watch(self) -> AsyncIterator[AuditEvent]:
        """Every transition and refusal from now on, as it happens, through reconnects."""
        events: asyncio.Queue[AuditEvent] = asyncio.Queue()

        def hand_on(entry: str, fields: Fields) -> None:
            events.put_nowait(_audit_event(entry, fields))

        tails = [Tail(self._url, keys.audit, hand_on) for keys in all_keys(self._partitions)]
        try:
            for tail in tails:
                await tail.start()
            while True:
                yield await events.get()
        finally:
            await asyncio.gather(*(tail.close() for tail in tails))


def _audit_event(entry: str, fields: Fields) -> AuditEvent:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    return AuditEvent(
        id=text.pop("id", ""),
        event=text.pop("event", ""),
        at=int(entry.partition("-")[0]),
        fields=text,
    )
