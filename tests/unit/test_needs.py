"""What a parked action needs, as the command line says it."""

from __future__ import annotations

from typing import Any

from guardtier import ActionEvent, Assessment, SecurityRisk, State
from guardtier.answer import Choice
from guardtier.policy.tally import Vote, votes_to_json
from guardtier.policy.terms import Step, Terms
from guardtier.store.records import Record
from guardtier_workers.cli.needs import needs_cell, needs_lines

ACTION = ActionEvent(id="a1.0", fleet="web", agent="coder", tool_name="terminal")


def record(under: Terms | None = None, *votes: Vote, **changes: Any) -> Record:
    known = {
        "id": ACTION.id,
        "state": State.PARKED,
        "fleet": "web",
        "waiters": "",
        "digest": ACTION.digest,
        "event": ACTION.to_json(),
        "received_at": 1_000,
        "assessment": Assessment(risk=SecurityRisk.HIGH),
        "terms": under.to_json() if under else b"",
        "votes": votes_to_json(votes) if votes else b"",
    }
    return Record(**known | changes)


def test_the_usual_is_one_answer_of_anybody() -> None:
    assert needs_cell(record()) == ""
    assert needs_lines(record()) == [
        "needs         1 approval or 1 rejection",
        "unanswered    it expires, and does not run",
    ]


def test_a_quorum_says_who_has_answered() -> None:
    ann = Vote(
        principal="ann@example.org",
        approver="ann",
        choice=Choice.APPROVE,
        digest=ACTION.digest,
        at=1,
        proof="",
        reason="it is Monday",
    )
    terms = Terms(
        approve=2,
        roles=("dba", "lead"),
        on_timeout="halt",
        notify=("oncall",),
        escalate=(Step(after=1, notify=("boss",)),),
        remind_every=600,
    )

    waiting = record(terms, ann)

    assert needs_cell(waiting) == "1 of 2 dba/lead"
    assert needs_lines(waiting) == [
        "needs         1 of 2 approvals or 1 rejection by somebody with the role dba or lead",
        "answered      ann (ann@example.org) would approve: it is Monday",
        "tells         oncall at once; boss since; again every 10m00s",
        "unanswered    it expires, and its conversation is halted",
    ]


def test_what_cannot_be_read_needs_nobody() -> None:
    broken = record(terms=b"{")

    assert needs_cell(broken) == "?"
    assert "no answer counts" in needs_lines(broken)[0]


def test_what_is_decided_needs_nothing() -> None:
    assert needs_lines(record(state=State.APPROVED)) == []
