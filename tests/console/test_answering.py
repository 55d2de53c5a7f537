"""Answers over the API: what becomes of them, and conflicts."""

from __future__ import annotations

import asyncio

from console.answering import answer_to, refused, said
from consoles import Desk
from editing import parked
from guardtier import Outcome, State
from guardtier.policy.terms import Terms
from waiting import until


async def test_the_waiting_agent_gets_an_approval(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")

    came = await said(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve", reason="go"))

    verdict = await asked.waiting
    assert (verdict.outcome, verdict.reason, verdict.decided_by) == (Outcome.APPROVED, "go", ("alice",))
    assert (came["outcome"], came["words"]) == ("approved", "Approved by alice.")
    assert came["verdict"]["digest"] == asked.action.digest
    assert came["grant"] is None


async def test_the_waiting_agent_gets_a_rejection_with_its_reason(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.program("alice")

    came = await said(
        alice, f"/actions/{asked.id}/answer", answer_to(asked, "reject", reason="use a copy", retry=0)
    )

    verdict = await asked.waiting
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "use a copy")
    assert came["outcome"] == "rejected"
    again = await console.tier.client().submit(asked.action.model_copy(update={"id": "again.0"}))
    assert again.state is State.PARKED  # retry 0 leaves no block


async def test_one_of_two_approvals_is_counted(console: Desk) -> None:
    asked = await parked(console.tier, terms=Terms(approve=2))
    alice, bob = await console.browser("alice"), await console.browser("bob")

    first = await said(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve"))
    second = await said(bob, f"/actions/{asked.id}/answer", answer_to(asked, "approve"))

    assert first["outcome"] == "answered"
    assert first["words"] == "Counted: 1 of 2 approvals: alice. It goes on waiting."
    assert first["counted"]["approved_by"] == ["alice"]
    assert second["outcome"] == "approved"
    assert (await asked.waiting).decided_by == ("alice", "bob")


async def test_an_approval_is_remembered(console: Desk) -> None:
    asked = await parked(console.tier, command="rm -rf build/a")
    alice = await console.browser("alice")
    like = {"pattern": "command", "scope": "agent", "seconds": 600, "uses": 3}

    came = await said(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve", remember=like))

    assert came["grant"] in came["words"]
    (one,) = await until(lambda: console.tier.approver("alice").grants("web"))
    assert (one.grant.id, one.grant.max_uses) == (came["grant"], 3)


# -- conflicts -------------------------------------------------------------------------------------


async def test_somebody_was_quicker_and_the_conflict_says_who_and_what(console: Desk) -> None:
    asked = await parked(console.tier)
    alice, bob = await console.browser("alice"), await console.browser("bob")
    await said(bob, f"/actions/{asked.id}/answer", answer_to(asked, "reject", reason="not today"))

    problem = await refused(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve"), 409)

    assert (problem["code"], problem["field"]) == ("wrong_state", "rejected")
    assert problem["message"].startswith("bob rejected it ")
    assert "Reason: “not today”." in problem["message"]
    assert problem["message"].endswith("Your answer did not count.")


async def test_two_people_at_once_are_both_told_the_truth(console: Desk) -> None:
    asked = await parked(console.tier)
    alice, bob = await console.browser("alice"), await console.browser("bob")

    answers = await asyncio.gather(
        alice.post(f"/api/v1/actions/{asked.id}/answer", json=answer_to(asked, "approve")),
        bob.post(f"/api/v1/actions/{asked.id}/answer", json=answer_to(asked, "reject", reason="no")),
    )

    assert sorted(one.status_code for one in answers) == [200, 409]
    won, lost = sorted(answers, key=lambda one: one.status_code)
    (winner,) = won.json()["decided_by"]
    assert lost.json()["message"].startswith(f"{winner} ")


async def test_the_same_click_twice_answers_once(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")
    path, body = f"/actions/{asked.id}/answer", answer_to(asked, "approve")
    await said(alice, path, body)

    problem = await refused(alice, path, body, 409)

    assert problem["message"].startswith("You have answered it already. alice approved it")
    assert (await console.tier.events(asked.id)).count("approved") == 1


async def test_an_edit_since_the_look_is_said_and_by_whom(console: Desk) -> None:
    asked = await parked(console.tier, terms=Terms(approve=2))
    alice = await console.browser("alice")
    await console.tier.approver("bob").edit(asked.id, {"command": "ls"})

    problem = await refused(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve"), 409)

    assert problem["code"] == "digest_mismatch"
    assert problem["message"].startswith("bob has changed what it would run, ")
    assert "look at it again" in problem["message"]
    assert (await console.tier.record(asked.id)).state is State.PARKED


async def test_of_another_digest_nobody_is_said_to_have_changed_it(console: Desk) -> None:
    asked, alice = await parked(console.tier), await console.browser("alice")
    body = answer_to(asked, "approve") | {"digest": "0" * 64}

    problem = await refused(alice, f"/actions/{asked.id}/answer", body, 409)

    assert "about another call than the one that waits here" in problem["message"]
    assert "changed" not in problem["message"]
    assert (await console.tier.record(asked.id)).state is State.PARKED


async def test_what_was_shown_is_named_and_is_what_counts(console: Desk) -> None:
    asked, alice = await parked(console.tier), await console.browser("alice")
    path, record = f"/actions/{asked.id}/answer", await console.tier.record(asked.id)

    problem = await refused(alice, path, answer_to(asked, "approve") | {"shown": "0" * 64}, 409)
    assert (problem["code"], problem["field"]) == ("digest_mismatch", "shown")
    assert "not what you were shown" in problem["message"]

    assert f'data-shown="{record.shown}"' in (await alice.get(f"/actions/{asked.id}/panel")).text
    await said(alice, path, answer_to(asked, "approve") | {"shown": record.shown})
    assert (await console.tier.record(asked.id)).state is State.APPROVED


async def test_a_deadline_that_has_passed_is_said(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")
    await console.tier.redis.hset(f"gt:{{0}}:action:{asked.id}", "deadline", 1)

    problem = await refused(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve"), 409)

    assert problem["field"] == "deadline"
    assert problem["message"].startswith("Its deadline passed ")
