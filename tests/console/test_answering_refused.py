"""Answers over the API that are refused, many at once, and what can be said before."""

from __future__ import annotations

from typing import Any

import pytest

from console.answering import answer_to, refused, said
from consoles import Desk
from editing import parked
from guardtier import Outcome, State
from guardtier.policy.terms import Terms
from guardtier_workers.approvers import Right
from tier import Tier

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
