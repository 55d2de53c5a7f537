"""Answers by the console: the waiting agent gets them, the tier judges them, conflicts are explained."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from console.answering import answer_to, refused, said
from consoles import Desk
from editing import parked
from guardtier import Outcome, State
from guardtier.policy.terms import Terms
from guardtier_workers.approvers import Right
from tier import Tier
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


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status", "field"),
    [
        ({"may": (Right.SEE,)}, 403, "may"),
        ({"fleets": ["ops"]}, 404, "id"),
        ({"agents": ["web/agent-*"]}, 403, "agent"),
    ],
    ids=["a viewer", "another fleet's", "their own agent's"],
)
async def test_who_may_not_answer_changes_nothing(
    console: Desk, who: dict, status: int, field: str
) -> None:
    asked = await parked(console.tier)
    client = await console.browser("mallory", **who)

    problem = await refused(client, f"/actions/{asked.id}/answer", answer_to(asked, "approve"), status)

    assert problem["field"] == field
    assert (await console.tier.record(asked.id)).state is State.PARKED
    assert "answer_refused" in await console.tier.events(asked.id)


async def test_another_fleets_action_is_answered_as_none(console: Desk) -> None:
    asked = await parked(console.tier)
    olga = await console.browser("olga", ["ops"])

    foreign = await refused(olga, f"/actions/{asked.id}/answer", answer_to(asked, "approve"), 404)
    none = await refused(olga, "/actions/none.0/answer", answer_to(asked, "approve"), 404)

    assert foreign["message"].replace(asked.id, "none.0") == none["message"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"choice": "maybe"}, "choice"),
    ({"digest": "abc"}, "digest"),
    ({"digest": None}, "digest"),
    ({"retry": -1}, "retry"),
    ({"retry": "60"}, "retry"),
    ({"reason": "x" * 4001}, "reason"),
    ({"surprise": 1}, "surprise"),
    ({"remember": {"pattern": "tool", "scope": "fleet"}}, "remember"),
    ({"choice": "reject", "remember": {"pattern": "exact"}}, "grant"),
]


async def test_a_wrong_body_is_refused_with_its_field(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.program("alice")

    for more, field in WRONG:
        problem = await refused(
            alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve") | more, 422
        )
        assert problem["field"].startswith(field)

    assert (await console.tier.record(asked.id)).state is State.PARKED


async def test_an_id_of_no_partition_is_bad_input(console: Desk) -> None:
    alice = await console.program("alice")
    body = {"choice": "approve", "digest": "0" * 64}

    for action_id in ("nowhere", "nowhere.99", "nowhere.9999"):
        assert (await refused(alice, f"/actions/{action_id}/answer", body, 422))["field"] == "id"


async def test_an_answer_needs_the_sessions_token_and_no_other_site(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")
    path, body = f"/api/v1/actions/{asked.id}/answer", answer_to(asked, "approve")

    without = await alice.post(path, json=body, headers={"x-csrf-token": ""})
    elsewhere = await alice.post(path, json=body, headers={"origin": "https://evil.example"})

    assert (without.status_code, elsewhere.status_code) == (403, 403)
    assert (await console.tier.record(asked.id)).state is State.PARKED


async def test_where_the_policy_wants_a_reason_none_is_refused(console: Desk) -> None:
    asked = await parked(console.tier, terms=Terms(reason_required=True))
    alice = await console.browser("alice")

    problem = await refused(alice, f"/actions/{asked.id}/answer", answer_to(asked, "approve"), 422)

    assert problem["field"] == "reason"


# -- many at once ----------------------------------------------------------------------------------


async def test_many_are_answered_each_by_itself(console: Desk) -> None:
    tier = console.tier
    one, two = await parked(tier, command="rm a"), await parked(tier, command="rm b")
    alice, bob = await console.browser("alice"), await console.browser("bob")
    await said(bob, f"/actions/{two.id}/answer", answer_to(two, "approve"))
    picked = [{"id": each.id, "digest": each.action.digest} for each in (two, one)]

    came = await said(alice, "/answers", {"choice": "reject", "reason": "no", "actions": picked})

    second, first = came["results"]
    assert (second["id"], second["outcome"], second["problem"]["code"]) == (two.id, "failed", "wrong_state")
    assert second["words"].startswith("bob approved it")
    assert (first["id"], first["outcome"], first["problem"]) == (one.id, "rejected", None)
    assert (await one.waiting).reason == "no"
    assert (await two.waiting).outcome is Outcome.APPROVED


async def test_of_many_each_has_to_have_the_digest_that_was_seen(console: Desk) -> None:
    one = await parked(console.tier)
    alice = await console.browser("alice")
    picked = [{"id": one.id, "digest": "0" * 64}, {"id": "other.77", "digest": "0" * 64}]

    came = await said(alice, "/answers", {"choice": "approve", "actions": picked})

    assert [each["problem"]["code"] for each in came["results"]] == ["digest_mismatch", "invalid_action"]
    assert (await console.tier.record(one.id)).state is State.PARKED


async def test_no_two_hundred_and_first_and_none_twice(console: Desk) -> None:
    alice = await console.program("alice")

    for ids in ([], ["a.0", "a.0"], [f"a{number}.0" for number in range(201)]):
        picked = [{"id": each, "digest": "0" * 64} for each in ids]
        problem = await refused(alice, "/answers", {"choice": "approve", "actions": picked}, 422)
        assert problem["field"] == "actions"


# -- what can be said ------------------------------------------------------------------------------


async def test_recent_reasons_are_ones_own_and_the_newest_first(console: Desk, tier: Tier) -> None:
    alice, bob = await console.browser("alice"), await console.browser("bob")
    for number, (client, reason) in enumerate(
        [(alice, "use a copy"), (bob, "never"), (alice, "ask first")]
    ):
        asked = await parked(tier, command=f"rm {number}")
        await said(client, f"/actions/{asked.id}/answer", answer_to(asked, "reject", reason=reason))

    found = (await alice.get("/api/v1/reasons?choice=reject")).json()

    assert found == {"reasons": ["ask first", "use a copy"]}
    assert (await alice.get("/api/v1/reasons?choice=approve")).json() == {"reasons": []}


async def test_reasons_that_were_given_elsewhere_are_offered_too(console: Desk, tier: Tier) -> None:
    asked = await parked(tier)
    await tier.approver("alice").reject(asked.id, reason="by the CLI")
    alice = await console.browser("alice")

    assert (await alice.get("/api/v1/reasons")).json() == {"reasons": ["by the CLI"]}


async def test_what_could_be_remembered_is_said_before(console: Desk, tier: Tier) -> None:
    asked = await parked(tier, command="rm -rf build/a")
    alice = await console.browser("alice")

    found = (await alice.get(f"/api/v1/actions/{asked.id}/suggestions")).json()
    drafted = await alice.get(
        f"/api/v1/actions/{asked.id}/grant?pattern=command&scope=fleet&seconds=7200&uses=1"
    )

    assert [one["pattern"] for one in found["suggestions"]] == ["exact", "command", "tool"]
    assert found["digest"] == asked.action.digest
    words = drafted.json()["words"]
    assert "rm -rf <a path below build/>" in words
    assert "by every agent of fleet web" in words
    assert words.endswith("once at most, for 2 hours")


async def test_what_takes_two_people_can_not_be_remembered_and_it_is_said_why(
    console: Desk, tier: Tier
) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    alice = await console.browser("alice")

    found = (await alice.get(f"/api/v1/actions/{asked.id}/suggestions")).json()

    assert found["suggestions"] == []
    assert "takes 2 people" in found["why"]


@pytest.mark.parametrize("what", ["suggestions", "grant?pattern=exact"])
async def test_another_fleets_action_has_no_suggestions(console: Desk, tier: Tier, what: str) -> None:
    asked = await parked(tier)
    olga = await console.browser("olga", ["ops"])

    foreign = await olga.get(f"/api/v1/actions/{asked.id}/{what}")
    none = await olga.get(f"/api/v1/actions/none.0/{what}")

    assert (foreign.status_code, none.status_code) == (404, 404)
    assert foreign.text.replace(asked.id, "none.0") == none.text
