"""Before the answer: what it would do, in words, and why somebody can't give it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guardtier import Assessment, Outcome, SecurityRisk, State
from guardtier.answer import Choice
from guardtier.look import Me
from guardtier.policy.edit import Edit
from guardtier.policy.tally import Vote, votes_to_json
from guardtier.policy.terms import Terms
from guardtier.store.records import Record
from guardtier.verdict import Verdict
from guardtier_workers.console.answering.before import Before, before
from guardtier_workers.console.answering.words import ordinal, span, together
from tier import high

NOW = 1_764_000_000_000
ALICE = Me(name="alice", principal="alice", fleets=("web",), may=("answer",))
ACTION = high().placed_in(0)


def record_of(terms: Terms | None = None, *votes: Vote, **fields: Any) -> Record:
    made = Record(
        id=ACTION.id,
        state=State.PARKED,
        fleet="web",
        waiters="",
        digest=ACTION.digest,
        event=ACTION.to_json(),
        received_at=NOW - 60_000,
        assessment=Assessment(risk=SecurityRisk.HIGH),
        deadline=NOW + 250_000,
        terms=(terms or Terms()).to_json(),
        votes=votes_to_json(votes) if votes else b"",
        accepts_edits=True,
    )
    return replace(made, **fields)


def vote(principal: str, choice: Choice, digest: str = ACTION.digest) -> Vote:
    return Vote(principal=principal, approver=principal, choice=choice, digest=digest, at=1, proof="")


def seen(record: Record, me: Me = ALICE) -> Before:
    return before(record, me)


def test_one_approval_decides_and_that_can_not_be_undone() -> None:
    found = seen(record_of())

    assert found.approve.can
    assert found.approve.decides
    assert found.approve.words[0] == (
        "Your approval decides: agent-1 may run it, once, exactly as it is shown."
    )
    assert "can't be undone" in found.approve.words[1]
    assert found.then == "it expires, and the agent is told no"


def test_the_first_of_two_does_not_decide() -> None:
    found = seen(record_of(Terms(approve=2)))

    assert not found.approve.decides
    assert found.approve.words[0] == "Yours is the 1st of 2 approvals: it goes on waiting for 1 more."
    assert found.remember.why_not == "What takes 2 people to approve can't be remembered."


def test_the_second_of_two_decides_and_says_who_was_first() -> None:
    found = seen(record_of(Terms(approve=2), vote("bob", Choice.APPROVE)))

    assert found.approve.decides
    assert found.approve.words[0].startswith("Yours is the 2nd of 2 approvals and decides")
    assert found.approve.words[-1] == "So far it was approved by bob."


def test_who_has_approved_already_changes_nothing_by_doing_it_again() -> None:
    found = seen(record_of(Terms(approve=2), vote("alice", Choice.APPROVE)))

    assert found.own is Choice.APPROVE
    assert not found.approve.decides
    assert found.approve.words[-1] == "You have answered “approve”: a new answer takes its place."


def test_votes_on_what_it_was_before_an_edit_do_not_count() -> None:
    found = seen(record_of(Terms(approve=2), vote("bob", Choice.APPROVE, "0" * 64)))

    assert not found.approve.decides
    assert found.given == ()


def test_a_rejection_says_for_how_long_the_same_is_refused() -> None:
    words = seen(record_of(Terms(retry=600))).reject.words

    assert words[1] == (
        "If agent-1 asks for the same call again within 10 minutes, it is refused at once with your reason."
    )
    assert "ask for the same again at once" in seen(record_of(Terms(retry=0))).reject.words[1]


@pytest.mark.parametrize(
    ("me", "record", "why"),
    [
        (ALICE.model_copy(update={"may": ("see",)}), record_of(), "You may see this, and not answer it"),
        (ALICE.model_copy(update={"fleets": ("ops",)}), record_of(), "You may see this, and not answer it"),
        (ALICE.model_copy(update={"agents": ("web/agent-*",)}), record_of(), "your own agent's"),
        (ALICE.model_copy(update={"principal": "agent-1"}), record_of(), "your own agent's"),
        (ALICE, record_of(Terms(roles=("dba", "lead"))), "with the role dba or lead"),
        (ALICE, record_of(event=b"{"), "can't be read"),
        (ALICE, record_of(votes=b"{"), "can't be read"),
    ],
    ids=["viewer", "fleet", "agent", "agent itself", "role", "unreadable", "votes"],
)
def test_who_can_not_answer_is_told_why(me: Me, record: Record, why: str) -> None:
    found = seen(record, me)

    for offer in (found.approve, found.reject, found.edit, found.remember):
        assert not offer.can
        assert why in offer.why_not


def test_why_nobody_edits_it() -> None:
    assert seen(record_of()).edit.can
    assert "takes no changed arguments" in seen(record_of(accepts_edits=False)).edit.why_not
    assert "lets nobody change it" in seen(record_of(Terms(may_edit=False))).edit.why_not


def test_an_edit_that_is_being_rated_is_said() -> None:
    edit = Edit(
        proof="", approver="bob", principal="bob", client="c", entry="1-1", at=1, was="", digest=""
    ).to_json()

    found = seen(record_of(edit=edit))

    assert found.rating == "bob"
    assert "bob is changing it at this moment" in found.edit.why_not
    assert found.approve.can


def test_what_is_decided_is_told_and_offers_nothing() -> None:
    verdict = Verdict(
        id=ACTION.id,
        outcome=Outcome.REJECTED,
        digest=ACTION.digest,
        risk=SecurityRisk.HIGH,
        reason="no\u202e<b>",
        policy="1",
        decided_by=("bob", "carol"),
        decided_at=NOW - 4_000,
    )

    found = seen(record_of(state=State.REJECTED, verdict=verdict))

    assert found.ended == "bob and carol rejected it. Reason: “no\\u202e<b>”."
    assert not found.approve.can


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-5, "less than a second"),
        (1_000, "1 second"),
        (250_000, "4 minutes 10 seconds"),
        (3_600_000, "1 hour"),
        (3_605_000, "1 hour"),
        (90_061_000, "1 day 1 hour"),
    ],
)
def test_times_in_words(milliseconds: int, words: str) -> None:
    assert span(milliseconds) == words


def test_names_and_numbers_in_words() -> None:
    assert together(()) == "nobody"
    assert together(("a",)) == "a"
    assert together(("a", "b", "c")) == "a, b and c"
    assert [ordinal(number) for number in (1, 2, 3, 4, 11)] == ["1st", "2nd", "3rd", "4th", "11th"]
