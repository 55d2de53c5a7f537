"""Decision: one decided action, as the history shows it: what its audit line says, and its record."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel

from guardtier.answer import Choice
from guardtier.risk import SecurityRisk
from guardtier.store.records import Record
from guardtier.store.trail import Line
from guardtier.verdict import Outcome
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.story.lines import details_of, names_of
from guardtier_workers.console.story.walk import Place

OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_SIDE: Final = {Choice.APPROVE.value: "approved_by", Choice.REJECT.value: "rejected_by"}


class Decision(BaseModel):
    """Times are milliseconds since 1970, Redis' clock. All text is untrusted.

    ``by``: the principals whose answers decided, or who halted it; empty where a policy or the deadline
    did. ``waited_ms``: from when it came until it was decided. ``kept``: its record still exists; what is
    null or empty otherwise only the record knew. ``state``: "redeemed" where its approval was used.
    """

    id: str
    place: str
    at: int
    outcome: Outcome
    fleet: str
    agent: str = ""
    conversation: str | None = None
    tool: str = ""
    risk: SecurityRisk | None = None
    headline: str = ""
    summary: str = ""
    by: tuple[str, ...] = ()
    reason: str = ""
    policy: str = ""
    rules: tuple[str, ...] = ()
    grant: str | None = None
    waited_ms: int | None = None
    is_edited: bool = False
    state: str
    kept: bool = False

    @classmethod
    def of(cls, line: Line, record: Record | None) -> Self:
        """``record``: None where there is none any more, or where it is another's of the same id."""
        details, event = details_of(line), line.text("event")
        grant = details.get("grant")
        told = cls(
            id=line.text("id"),
            place=str(Place.of(line)),
            at=line.at,
            outcome=Outcome(event),
            fleet=line.text("fleet"),
            agent=line.text("agent"),
            conversation=line.text("conversation") or None,
            by=_by(line),
            reason=line.text("reason"),
            policy=line.text("policy"),
            rules=names_of(details.get("rules")),
            grant=grant if isinstance(grant, str) else None,
            state=event,
        )
        return told if record is None or not _is_of(line, record) else told.completed(record)

    def completed(self, record: Record) -> Self:
        """With what its record says."""
        item, verdict = Item.of(record), record.verdict
        return self.model_copy(
            update={
                "agent": item.agent or self.agent,
                "conversation": item.conversation or self.conversation,
                "tool": item.tool,
                "risk": item.risk,
                "headline": item.headline,
                "summary": item.summary,
                "reason": self.reason or (verdict.reason if verdict is not None else ""),
                "policy": self.policy or record.policy or "",
                "waited_ms": max(0, self.at - record.received_at) if record.received_at else None,
                "is_edited": item.is_edited,
                "state": record.state.value,
                "kept": True,
            }
        )


def _is_of(line: Line, record: Record) -> bool:
    """Whether the record is of what was decided: once one is gone, an agent may take its id again."""
    if record.fleet != line.text("fleet") or record.received_at > line.at:
        return False
    return line.text("digest") in ("", record.digest)


def _by(line: Line) -> tuple[str, ...]:
    details = details_of(line)
    side = _SIDE.get(str(details.get("choice")))
    named = names_of(details.get(side)) if side else ()
    return named or ((line.text("by"),) if line.text("by") else ())
