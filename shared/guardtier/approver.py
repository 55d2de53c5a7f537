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
from guardtier.errors import TierUnavailable
from guardtier.store.connection import refuses_credential
from guardtier.store.keys import all_keys
from guardtier.store.tail import Fields, Tail

__all__ = ["ApproverClient", "AuditEvent", "PartitionFile", "PartitionPolicy"]


UNTAKEN = 1000  #: events that wait for who watches; above, no more are read


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
        """Every transition and refusal from now on, as it happens, through reconnects.

        Who takes them slowly is told them late, and misses none that the tier still keeps. Raises
        TierUnavailable where Redis does not let this credential read them.
        """
        events: asyncio.Queue[AuditEvent] = asyncio.Queue()
        room = asyncio.Event()
        room.set()

        def hand_on(entry: str, fields: Fields) -> None:
            events.put_nowait(_audit_event(entry, fields))
            if events.qsize() >= UNTAKEN:
                room.clear()

        tails = [Tail(self._url, keys.audit, hand_on, room=room) for keys in all_keys(self._partitions)]
        try:
            for tail in tails:
                await _begin(tail)
            while True:
                event = await events.get()
                if events.qsize() < UNTAKEN:
                    room.set()
                yield event
        finally:
            await asyncio.gather(*(tail.close() for tail in tails))


async def _begin(tail: Tail) -> None:
    try:
        await tail.start(insist=False)
    except Exception as error:
        if not refuses_credential(error):
            raise
        raise TierUnavailable(
            f"Redis does not let this credential read the audit stream ({error}): the role auditor may, "
            "an approver's may not (docs/roles.md)"
        ) from error


def _audit_event(entry: str, fields: Fields) -> AuditEvent:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    return AuditEvent(
        id=text.pop("id", ""),
        event=text.pop("event", ""),
        at=int(entry.partition("-")[0]),
        fields=text,
    )
