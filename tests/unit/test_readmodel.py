"""The JSON view of a record: what a dashboard is shown, also of what can't be read."""

from __future__ import annotations

from typing import Any

import orjson

from guardtier import ActionEvent, Assessment, SecurityRisk, State
from guardtier.answer import Choice
from guardtier.policy.edit import Edit
from guardtier.policy.tally import Vote, votes_to_json
from guardtier.policy.terms import Step, Terms
from guardtier.readmodel import view_of
from guardtier.store.records import Record

ACTION = ActionEvent(
    id="a1.0",
    fleet="web",
    agent="coder",
    conversation="c1",
    tool_name="terminal",
    arguments={"command": "ls"},
)


def record(**changes: Any) -> Record:
    known = {
        "id": ACTION.id,
        "state": State.PARKED,
        "fleet": "web",
        "waiters": "client-1",
        "digest": ACTION.digest,
        "event": ACTION.to_json(),
        "received_at": 1_000,
        "assessment": Assessment(risk=SecurityRisk.HIGH),
        "policy": "confirm_risky",
        "deadline": 61_000,
    }
    return Record(**known | changes)


def vote(approver: str, choice: Choice, **changes: Any) -> Vote:
    known = {
        "principal": approver,
        "approver": approver,
        "choice": choice,
        "digest": ACTION.digest,
        "at": 5,
    }
    return Vote(**known | {"proof": "f" * 64} | changes)


def test_the_usual_terms_are_told_in_full() -> None:
    view = view_of(record())

    assert (view["agent"], view["conversation"], view["deadline"]) == ("coder", "c1", 61_000)
    assert view["action"]["arguments"] == {"command": "ls"}
    assert (view["terms"]["approve"], view["terms"]["on_timeout"]) == (1, "reject")
    assert view["answers"] == {
        "roles": [],
        "approve": {"needed": 1, "given": 0},
        "reject": {"needed": 1, "given": 0},
        "given": [],
    }
    assert (view["escalation"], view["edit"], view["verdict"]) == (None, None, None)


def test_answers_so_far_are_told_without_their_proofs() -> None:
    old = vote("carol", Choice.APPROVE, digest="0" * 64)
    votes = votes_to_json([vote("ann", Choice.APPROVE), vote("bob", Choice.REJECT, reason="why?"), old])
    terms = Terms(approve=2, reject=3, roles=("dba",)).to_json()

    view = view_of(record(terms=terms, votes=votes))

    answers = view["answers"]
    assert (answers["roles"], answers["approve"], answers["reject"]) == (
        ["dba"],
        {"needed": 2, "given": 1},
        {"needed": 3, "given": 1},
    )
    assert [given["approver"] for given in answers["given"]] == ["ann", "bob"], "carol saw another action"
    assert answers["given"][1] == {
        "approver": "bob",
        "principal": "bob",
        "choice": "reject",
        "reason": "why?",
        "at": 5,
    }
    assert b"f" * 64 not in orjson.dumps(view)
    assert b"client-1" not in orjson.dumps(view)


def test_who_is_told_when_is_listed() -> None:
    terms = Terms(
        notify=("oncall",),
        remind_every=600,
        escalate=(Step(after=300, notify=("lead", "boss")),),
    )

    escalation = view_of(record(terms=terms.to_json()))["escalation"]

    assert escalation == {
        "notify": ["oncall"],
        "remind_every": 600.0,
        "steps": [{"at": 301_000, "notify": ["lead", "boss"]}],
    }


def test_an_edit_that_is_being_rated_is_told_without_its_proof() -> None:
    edit = Edit(
        proof="f" * 64,
        approver="ann",
        principal="ann",
        client="client-1",
        entry="1-0",
        at=7,
        was=ACTION.digest,
        digest="0" * 64,
        reason="in dry mode",
    )

    view = view_of(record(edit=edit.to_json(), accepts_edits=True))

    assert view["edit"] == {
        "approver": "ann",
        "principal": "ann",
        "at": 7,
        "was": ACTION.digest,
        "digest": "0" * 64,
        "reason": "in dry mode",
    }
    assert (view["accepts_edits"], view["asked"]) == (True, None)


def test_what_cannot_be_read_is_null() -> None:
    view = view_of(record(event=b"\xff", terms=b"{", votes=b"{", edit=b"{"))

    assert (view["action"], view["agent"], view["terms"], view["edit"]) == (None, None, None, None)
    assert view["answers"]["approve"] == {"needed": None, "given": 0}
    assert view["digest"] == ACTION.digest
