"""The workers together: a fair share for each fleet, and a Redis that fails under them."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from guardtier import GuardClient
from guardtier.errors import TierUnavailable
from guardtier.store.keys import ANALYZERS, Keys
from guardtier_workers.embedded import EmbeddedRedis
from tier import Gate, Running, StartTier, Tier, low, only, submitted
from waiting import until

KEYS = Keys(0)
NOISE = 1000
SHARE = 16


async def queue(redis: Redis, fleet: str, count: int) -> None:
    """Ask for so many actions before anybody works."""
    pipeline = redis.pipeline(transaction=False)
    for number in range(count):
        action = low(f"ls {number}", fleet=fleet).placed_in(0)
        pipeline.xadd(KEYS.actions(fleet), submitted(action, f"{fleet}-1"))
    await pipeline.execute()


# -- fairness ----------------------------------------------------------------------------------


async def test_a_fleet_with_a_thousand_queued_delays_nobody(start_tier: StartTier) -> None:
    tier = await start_tier(
        analyzers=0, policies=0, share=SHARE, fleets={"noisy": {}, "web": {}, "ops": {}}
    )
    await tier.upkeep.prepare(["noisy", "web", "ops"])
    await queue(tier.redis, "noisy", NOISE)
    await queue(tier.redis, "web", 10)
    await queue(tier.redis, "ops", 3 * SHARE)

    await tier.analyzer()
    await tier.policy()
    await tier.idle()

    for event in ("assessed", "released"):
        order = [line["fleet"] for line in await tier.audit() if line["event"] == event]
        assert len(order) == NOISE + 10 + 3 * SHARE
        assert last(order, "web") < 3 * SHARE  # all of it in the first turn
        assert last(order, "ops") < 9 * SHARE  # in the first three


def last(order: list[str], fleet: str) -> int:
    return len(order) - 1 - order[::-1].index(fleet)


async def test_no_more_is_in_work_than_a_worker_may_hold(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, concurrency=8, share=4)
    gate = Gate()
    worker = await tier.analyzer(analyzers=only(gate))
    client = tier.client()
    asking = [asyncio.create_task(client.check(low(f"ls {n}"))) for n in range(40)]

    await until(lambda: gate.entered == 8)
    await until(lambda: tier.redis.xlen(KEYS.actions("web")))
    held = (await tier.redis.xpending(KEYS.actions("web"), ANALYZERS))["pending"]
    assert worker.worker.lanes[0].in_work == gate.entered == 8
    assert 8 <= held <= 8 + 4  # what it has read beyond that could run elsewhere

    gate.open.set()
    assert all(verdict.allowed for verdict in await asyncio.gather(*asking))


async def test_a_fleet_that_is_added_is_served(tier: Tier) -> None:
    await tier.upkeep.register("late")

    assert (await tier.client("late").check(low(fleet="late"))).allowed


# -- Redis fails -------------------------------------------------------------------------------


async def test_a_redis_that_lost_everything_is_prepared_again(tier: Tier) -> None:
    await tier.client().check(low())

    await tier.redis.flushall()
    await until(lambda: tier.redis.exists(KEYS.actions("web")), timeout=90.0)

    assert (await tier.client().check(low())).allowed


async def test_a_redis_that_is_started_again_finds_everyone_at_work(
    start_tier: StartTier, own_server: EmbeddedRedis
) -> None:
    tier = await start_tier(url=own_server.url)
    client = tier.client()
    before = await client.check(low())

    own_server.kill()
    asking = asyncio.create_task(client.check(low()))
    await until(lambda: client.trouble)
    own_server.start()

    assert (await asking).allowed
    assert (await client.poll(before.id)).verdict == before


async def test_the_scripts_are_loaded_again_where_the_server_forgot_them(tier: Tier) -> None:
    await tier.redis.script_flush()

    assert (await tier.client().check(low())).allowed


async def test_while_memory_is_full_nothing_is_given_up(start_tier: StartTier, any_redis_url: str) -> None:
    tier = await start_tier(url=any_redis_url, analyzers=0, max_deliveries=1)
    gate = Gate()
    worker = await tier.analyzer(analyzers=only(gate))
    asking = asyncio.create_task(tier.client().check(low()))
    await until(lambda: gate.entered)

    await tier.redis.config_set("maxmemory", 1)
    gate.open.set()
    try:
        await until(lambda: waits_or_tried_again(worker, tier))
    finally:
        await tier.redis.config_set("maxmemory", 0)

    assert (await asyncio.wait_for(asking, 90)).allowed
    assert await tier.redis.xlen(KEYS.dead) == 0


async def waits_or_tried_again(worker: Running, tier: Tier) -> bool:
    """Whether the worker waits for memory, or (which it must not) has given the entry up."""
    if worker.worker.lanes[0].pipe.trouble is not None:
        return True
    pending = await tier.redis.xpending_range(KEYS.actions("web"), ANALYZERS, min="-", max="+", count=1)
    return worker.task.done() or not pending or pending[0]["times_delivered"] > 1


async def test_while_memory_is_full_the_workers_stay(start_tier: StartTier, any_redis_url: str) -> None:
    tier = await start_tier(url=any_redis_url)
    await tier.redis.config_resetstat()

    await tier.redis.config_set("maxmemory", 1)
    try:
        await until(lambda: has_tried(tier))
        assert [running.task.done() for running in tier.workers] == [False, False]
    finally:
        await tier.redis.config_set("maxmemory", 0)

    assert (await tier.client().check(low(), timeout=90)).allowed


async def has_tried(tier: Tier) -> bool:
    """Whether two heartbeats of each worker were refused, or (which must not be) a worker ended."""
    calls = (await tier.redis.info("commandstats")).get("cmdstat_set", {})
    return calls.get("rejected_calls", 0) >= 4 or any(running.task.done() for running in tier.workers)


async def test_an_agent_is_told_when_memory_is_full(tier: Tier) -> None:
    await tier.client().check(low())
    await tier.redis.config_set("maxmemory", 1)
    try:
        async with GuardClient(tier.settings.redis_url, fleet="web") as client:
            with pytest.raises(TierUnavailable, match="refuses writes"):
                await client.check(low())
    finally:
        await tier.redis.config_set("maxmemory", 0)
    assert (await tier.client().check(low())).allowed
