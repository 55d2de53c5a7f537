"""Answers that nobody takes: beyond the queue's limit the newest are refused, and told when to ask."""

from __future__ import annotations

import asyncio
from time import time

import pytest
from redis.exceptions import ResponseError

from guardtier.errors import QueueFull
from guardtier.look import Me
from guardtier.store.keys import POLICIES, Keys, partition_for
from tier import StartTier, Tier, high
from waiting import until

KEYS = Keys(0)


async def waiting(tier: Tier, count: int) -> bool:
    return await tier.redis.xlen(KEYS.answers) == count


def asked(tier: Tier, count: int) -> list[asyncio.Task[Me]]:
    """As many requests, by one client each: one asks so many of them at once."""
    return [asyncio.create_task(tier.approver().me()) for _ in range(count)]


async def test_what_no_policy_worker_takes_is_refused_beyond_the_limit(start_tier: StartTier) -> None:
    tier = await start_tier(policies=0, max_queue=5)
    steward, asking = tier.steward(), asked(tier, 8)
    await until(lambda: waiting(tier, 8))

    assert await steward.shed_answers() == 3

    done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        with pytest.raises(QueueFull, match="does a policy worker run") as refused:
            await task
        assert (refused.value.field, refused.value.limit) == ("max_queue", 5)
        assert 1 <= refused.value.retry_after <= 60
    (line,) = [line for line in await tier.audit() if line["event"] == "turned_away"]
    assert (line["fleet"], line["why"], line["count"]) == ("*", "queue_full", "3")
    await tier.policy()
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(one, QueueFull) for one in told) == 3
    assert not [one for one in told if isinstance(one, BaseException) and not isinstance(one, QueueFull)]


async def test_within_the_limit_and_in_work_nothing_is_refused(start_tier: StartTier) -> None:
    tier = await start_tier(policies=0, max_queue=5)
    steward, asking = tier.steward(), asked(tier, 7)
    await until(lambda: waiting(tier, 7))
    await tier.redis.xreadgroup(POLICIES, "busy-1", {KEYS.answers: ">"}, count=2)

    assert await steward.shed_answers() == 0

    await tier.policy()
    assert len(await asyncio.gather(*asking)) == 7


async def test_what_is_done_behind_one_that_is_stuck_keeps_nothing_from_being_refused(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(policies=0, max_queue=5)
    steward = tier.steward()
    async with tier.redis.pipeline(transaction=False) as sent:
        for _ in range(1000):
            sent.xadd(KEYS.answers, {"op": "look"})
        await sent.execute()
    ((_, given),) = await tier.redis.xreadgroup(POLICIES, "gone-1", {KEYS.answers: ">"}, count=900)
    await tier.redis.xack(KEYS.answers, POLICIES, *[entry for entry, _ in given[1:]])

    assert await steward.shed_answers() == 95

    assert await waiting(tier, 1 + 5)


async def test_a_damaged_partition_keeps_the_steward_from_no_other(start_tier: StartTier) -> None:
    tier = await start_tier(policies=0, max_queue=5, partitions=2, park_seconds=0.001)
    steward, other = tier.steward(), Keys(1)
    await tier.policy()
    client = next(tier.client(client_id=n) for n in ("a", "b", "c", "d") if partition_for(n, 2) == 1)
    parked = await client.submit(high())
    await tier.workers[-1].stop()
    tier.workers.pop()
    for _ in range(8):
        await tier.redis.xadd(other.answers, {"op": "look"})
    for key in (KEYS.answers, KEYS.parked):
        await tier.redis.delete(key)
        await tier.redis.set(key, "x")
    await until(lambda: time() * 1000 > (parked.deadline or 0))

    for work in (steward.shed_answers, steward.sweep):
        with pytest.raises(ResponseError):  # arq logs it
            await work()

    assert await tier.redis.xlen(other.answers) == 5
    assert await tier.redis.zcard(other.parked) == 0

    entry = await tier.redis.xadd(other.outbox, {"op": "x"})
    await tier.redis.xreadgroup(POLICIES, "gone-1", {other.outbox: ">"})
    await tier.redis.xack(other.outbox, POLICIES, entry)
    await steward.tidy()
    assert await tier.redis.xlen(other.outbox) == 0


async def test_an_approval_that_found_no_room_counts_when_it_comes_again(start_tier: StartTier) -> None:
    tier = await start_tier(max_queue=1)
    client, action = tier.client(), high()
    asking = asyncio.create_task(client.check(action))
    (record,) = await until(tier.parked)
    await tier.workers[-1].stop()
    tier.workers.pop()
    approver, steward = tier.approver(), tier.steward()
    waits = asyncio.create_task(approver.me())
    await until(lambda: waiting(tier, 1))
    answering = asyncio.create_task(approver.approve(record.id))
    await until(lambda: waiting(tier, 2))

    await steward.shed_answers()

    with pytest.raises(QueueFull):
        await answering
    await tier.policy()
    await waits
    await approver.approve(record.id)
    assert (await asking).allowed
