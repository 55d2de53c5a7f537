"""LookRequest: what an approver asks to see, and how records travel to them.

An approver sees the actions of their own fleets, through the tier: reading Redis directly would show
those of every fleet.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, StringConstraints

from guardtier.action import ACTION_ID, LABEL, NAME
from guardtier.assessment import Assessment
from guardtier.policy.request import SignedRequest
from guardtier.policy.tally import read_votes, votes_to_json
from guardtier.risk import SecurityRisk
from guardtier.state import State
from guardtier.store.parked import PAGE
from guardtier.store.records import Record
from guardtier.verdict import Verdict


class LookRequest(SignedRequest):
    """Look at one action, at a page of what is parked, or count it, in the partition of the id.

    ``after`` is the cursor that the page before gave. ``fleet``, ``agent`` and ``risk`` narrow a page;
    counting takes ``fleet`` alone.
    """

    op: Literal["look"] = "look"
    what: Literal["action", "page", "count"]
    action: Annotated[str, StringConstraints(pattern=ACTION_ID)] | None = None
    after: Annotated[str, StringConstraints(max_length=100)] = ""
    limit: int = Field(default=PAGE, ge=1, le=PAGE)
    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    agent: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    risk: tuple[SecurityRisk, ...] = Field(default=(), max_length=4)

    def to_fields(self, proof: str) -> dict[str, str | bytes]:
        """The entry of the answers stream. Who asks stands outside the body too, for the audit."""
        return super().to_fields(proof) | {"approver": self.approver}


def shown(record: Record) -> dict[str, Any]:
    """A record as it is shown: without the clients that wait, and without the proofs of answers."""
    return {
        "id": record.id,
        "state": record.state.value,
        "fleet": record.fleet,
        "digest": record.digest,
        "received_at": record.received_at,
        # Any bytes: that of a dead letter need not be JSON, nor UTF-8.
        "event": record.event.decode("latin-1"),
        "assessment": orjson.Fragment(record.assessment.to_json()),
        "policy": record.policy,
        "deadline": record.deadline,
        "verdict": orjson.Fragment(record.verdict.to_json()) if record.verdict else None,
        "terms": record.terms.decode("latin-1"),
        "votes": _without_proofs(record.votes).decode(),
        "edit": record.edit.decode("latin-1"),
    }


def seen(body: dict[str, Any]) -> Record:
    """The record that :func:`shown` made this of. Raises ValueError where it can't be read."""
    deadline, verdict = body["deadline"], body["verdict"]
    return Record(
        id=body["id"],
        state=State(body["state"]),
        fleet=body["fleet"],
        waiters="",
        digest=body["digest"],
        event=body["event"].encode("latin-1"),
        received_at=body["received_at"],
        assessment=Assessment.model_validate(body["assessment"]),
        policy=body["policy"],
        deadline=deadline,
        verdict=Verdict.model_validate(verdict) if verdict else None,
        terms=body["terms"].encode("latin-1"),
        votes=body["votes"].encode(),
        edit=body["edit"].encode("latin-1"),
    )


def _without_proofs(raw: bytes) -> bytes:
    """Votes for others to see. What can't be read is not shown."""
    if not raw:
        return b""
    try:
        return votes_to_json([vote.model_copy(update={"proof": ""}) for vote in read_votes(raw)])
    except ValueError:
        return b""
