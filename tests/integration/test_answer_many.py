"""Many answers at once: each is checked by itself, and each has a result."""

from __future__ import annotations

import asyncio

import pytest

from guardtier import ApproverClient, State
from guardtier.answer import Choice
from guardtier.approver_answers import Draft
from guardtier.errors import (
    ConfigError,
    TierUnavailable,
    WrongState,
)
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier.verdict import Verdict
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, Tier, high


async def test_each_has_its_own_result_in_its_place(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    client, alice = tier.client(), tier.approver("alice", ["web"])
    fine, two, other, wrong = [(await client.submit(high(f"rm -rf ~/{at}"))).id for at in range(4)]
    elsewhere = (await tier.client("ops").submit(high(fleet="ops"))).id
    await tier.redis.hset(Keys(0).action(two), "terms", Terms(approve=2).to_json())

    came = await alice.answer_many(
        [
            Draft(fine, Choice.APPROVE),
            Draft("nothing.0", Choice.APPROVE),
            Draft(two, Choice.APPROVE),
            Draft("no id", Choice.APPROVE),
            Draft(elsewhere, Choice.APPROVE),
            Draft(wrong, Choice.APPROVE, "0" * 64),
            Draft(wrong, Choice.REJECT, reason="x" * 4001),
            Draft(other, Choice.REJECT, reason="no"),
        ]
    )

    assert [type(one).__name__ for one in came] == [
        "Verdict",
        "UnknownAction",
        "Counted",
        "InvalidAction",
        "UnknownAction",
        "DigestMismatch",
        "InvalidAnswer",
        "Verdict",
    ]
    states = [(await tier.record(each)).state for each in (fine, two, elsewhere, wrong, other)]
    assert states == [State.APPROVED, State.PARKED, State.PARKED, State.PARKED, State.REJECTED]


async def test_three_hundred_at_once(tier: Tier) -> None:
    client, alice = tier.client(), tier.approver()
    ids = [(await client.submit(high(f"rm -rf ~/{at}"))).id for at in range(300)]

    came = await alice.answer_many(Draft(each, Choice.APPROVE) for each in ids)

    assert [one.id for one in came if isinstance(one, Verdict)] == ids
    assert await alice.count() == 0


async def test_the_same_one_twice_is_decided_once(tier: Tier) -> None:
    action_id = (await tier.client().submit(high())).id

    came = await tier.approver().answer_many(
        [Draft(action_id, Choice.APPROVE), Draft(action_id, Choice.REJECT, reason="no")]
    )

    assert {type(one) for one in came} == {Verdict, WrongState}


async def test_without_a_token_nothing_is_sent(tier: Tier) -> None:
    action_id = (await tier.client().submit(high())).id

    async with ApproverClient(tier.url) as reader:
        with pytest.raises(ConfigError, match="token"):
            await reader.answer_many([Draft(action_id, Choice.APPROVE)])


async def test_where_redis_goes_away_nothing_goes_on_unseen(
    start_tier: StartTier, own_server: EmbeddedRedis
) -> None:
    tier = await start_tier(analyzers=0, policies=0, url=own_server.url)
    await tier.upkeep.prepare(["web"])
    alice = tier.approver()
    own_server.kill()

    came = await alice.answer_many([Draft(f"a{at}.0", Choice.APPROVE) for at in range(100)], timeout=1.5)

    assert {type(one) for one in came} == {TierUnavailable}
    assert not [task for task in asyncio.all_tasks() if "answer_many" in repr(task.get_coro())]
