"""The JSON view of a record, for dashboards and programs. docs/read-model.md says what of it is stable."""

from __future__ import annotations

from typing import Any

from guardtier.action import ActionEvent
from guardtier.answer import Choice
from guardtier.errors import InvalidAction
from guardtier.policy.edit import Edit
from guardtier.policy.tally import Vote, read_votes
from guardtier.policy.terms import Terms
from guardtier.store.records import Record


def view_of(record: Record) -> dict[str, Any]:
    """A record as plain data. What can't be read is null; times are milliseconds since 1970."""
    action, terms = _action(record), _terms(record)
    return {
        "id": record.id,
        "state": record.state.value,
        "fleet": record.fleet,
        "agent": action.agent if action else None,
        "conversation": action.conversation if action else None,
        "digest": record.digest,
        "shown": record.shown,
        "received_at": record.received_at,
        "deadline": record.deadline,
        "policy": record.policy,
        "action": action.model_dump(mode="json", exclude_defaults=True) if action else None,
        "assessment": record.assessment.model_dump(mode="json"),
        "terms": terms.model_dump(mode="json") if terms else None,
        "answers": _answers(record, terms),
        "escalation": _escalation(record, terms),
        "asked": record.asked,
        "accepts_edits": record.accepts_edits,
        "edit": _edit(record),
        "verdict": record.verdict.model_dump(mode="json") if record.verdict is not None else None,
    }


def _action(record: Record) -> ActionEvent | None:
    try:
        return record.action
    except InvalidAction:
        return None


def _terms(record: Record) -> Terms | None:
    try:
        return Terms.read(record.terms)
    except ValueError:
        return None


def _answers(record: Record, terms: Terms | None) -> dict[str, Any]:
    """How many answers it takes, whose, and those that count so far."""
    try:
        votes = read_votes(record.votes)
    except ValueError:
        votes = ()
    counting = [vote for vote in votes if vote.digest == record.digest]
    return {
        "roles": list(terms.roles) if terms else None,
        "approve": _side(counting, Choice.APPROVE, terms.approve if terms else None),
        "reject": _side(counting, Choice.REJECT, terms.reject if terms else None),
        "given": [
            {
                "approver": vote.approver,
                "principal": vote.principal,
                "choice": vote.choice.value,
                "reason": vote.reason,
                "at": vote.at,
            }
            for vote in counting
        ],
    }


def _side(votes: list[Vote], choice: Choice, needed: int | None) -> dict[str, Any]:
    return {"needed": needed, "given": sum(vote.choice is choice for vote in votes)}


def _escalation(record: Record, terms: Terms | None) -> dict[str, Any] | None:
    """Who is told, and when; null where nobody is. ``at`` counts from when the action came."""
    if terms is None or not (terms.notify or terms.escalate or terms.remind_every):
        return None
    return {
        "notify": list(terms.notify),
        "remind_every": terms.remind_every,
        "steps": [
            {"at": record.received_at + int(step.after * 1000), "notify": list(step.notify)}
            for step in terms.escalate
        ],
    }


def _edit(record: Record) -> dict[str, Any] | None:
    """Who changes it, while that is being rated."""
    try:
        edit = Edit.read(record.edit)
    except ValueError:
        return None
    return edit.model_dump(exclude={"proof", "mark", "client", "entry"}) if edit else None
