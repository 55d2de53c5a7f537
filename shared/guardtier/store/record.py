"""Record: one action as the ledger has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import InvalidAction
from guardtier.state import State
from guardtier.verdict import Verdict

FIELDS = (
    "state",
    "fleet",
    "waiters",
    "digest",
    "event",
    "entry",
    "assessment",
    "policy",
    "deadline",
    "verdict",
    "terms",
    "votes",
    "edit",
    "asked",
    "accepts",
    "revised",
    "revised_at",
    "sealed",
)


@dataclass(frozen=True, slots=True)
class Record:
    """One action as the ledger has it. Times are milliseconds since 1970, Redis' clock.

    ``terms`` (JSON) are what it is parked under, b"" for the usual; ``votes`` (JSON) the answers that
    count so far; ``edit`` (JSON) an edit that is being rated. Where an edit has taken effect, ``event``,
    ``digest`` and ``assessment`` are those of the edited action, ``asked`` is the digest of what the agent
    asked for, and ``revised`` the proof of the edit, which took effect at ``revised_at``.
    ``accepts_edits``: the agent's client takes edits. ``sealed``: a policy worker's signature on
    what stands in place of an action with secrets.
    """

    id: str
    state: State
    fleet: str
    waiters: str
    digest: str
    event: bytes
    received_at: int
    assessment: Assessment
    policy: str | None = None
    deadline: int | None = None
    verdict: Verdict | None = None
    terms: bytes = b""
    votes: bytes = b""
    edit: bytes = b""
    asked: str | None = None
    accepts_edits: bool = False
    revised: str = ""
    revised_at: int = 0
    sealed: str = ""
    _action: list[ActionEvent] = field(default_factory=list, repr=False, compare=False)

    @property
    def action(self) -> ActionEvent:
        """The action as it was received. Raises InvalidAction for a dead letter's unread payload."""
        if not self._action:
            self._action.append(ActionEvent.from_json(self.event))
        return self._action[0]

    @property
    def is_readable(self) -> bool:
        """Whether :attr:`action` can be had."""
        try:
            return bool(self.action)
        except InvalidAction:
            return False

    @property
    def shown(self) -> str:
        """SHA-256 (64 hex digits) of the action as it is shown to approvers, whose answers name it."""
        return sha256(self.event).hexdigest()

    @property
    def agent(self) -> str:
        """Who asked; empty where the action can't be read."""
        return self.action.agent if self.is_readable else ""

    def edited(self, *, allowed: bool) -> dict[str, Any]:
        """The fields by which a verdict says that an approver edited the action; none where nobody did."""
        if self.asked is None:
            return {}
        return {"edited_from": self.asked} | ({"arguments": self.action.arguments} if allowed else {})

    @classmethod
    def from_fields(cls, action_id: str, values: Sequence[bytes | None]) -> Self | None:
        """Build from the reply to HMGET; None where there is no such record."""
        found = dict(zip(FIELDS, values, strict=True))
        state, event, assessment = found["state"], found["event"], found["assessment"]
        if state is None or event is None or assessment is None:
            return None
        deadline, verdict = found["deadline"], found["verdict"]
        return cls(
            id=action_id,
            state=State(state.decode()),
            fleet=as_text(found["fleet"]),
            waiters=as_text(found["waiters"]),
            digest=as_text(found["digest"]),
            event=event,
            received_at=int((found["entry"] or b"0").partition(b"-")[0]),
            assessment=Assessment.from_json(assessment),
            policy=as_text(found["policy"]) or None,
            deadline=int(deadline) if deadline else None,
            verdict=Verdict.from_json(verdict) if verdict else None,
            terms=found["terms"] or b"",
            votes=found["votes"] or b"",
            edit=found["edit"] or b"",
            asked=as_text(found["asked"]) or None,
            accepts_edits=found["accepts"] == b"edit",
            revised=as_text(found["revised"]),
            revised_at=int(found["revised_at"] or 0),
            sealed=as_text(found["sealed"]),
        )


def as_text(value: Any) -> str:
    """Of what Redis gives; "" for nothing."""
    return value.decode() if isinstance(value, bytes) else (value or "")
