"""The steward: deadlines, by their jobs and without them; retention; what waits for nobody."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from time import time

import pytest

from guardtier import Outcome, State, Status
from guardtier.errors import WrongState
from guardtier.settings import Settings
from guardtier.store.keys import ANALYZERS, ARQ_QUEUE, POLICIES, Keys
from guardtier_workers import steward as module
from guardtier_workers.steward import Steward
from processes import Processes
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)
ACTIONS = KEYS.actions("web")
CLOCK = Path(__file__).parent.parent / "chaos" / "clock"
#: One sweep, by a process of its own.
SWEEP = """
import asyncio, sys
from guardtier.settings import Settings
from guardtier_workers.steward import Steward
async def sweep():
    steward = Steward(Settings.load(redis_url=sys.argv[1]))
    await steward.sweep()
    await steward.close()
asyncio.run(sweep())
"""


async def test_a_deadline_has_a_job_that_expires_the_action(start_tier: StartTier) -> None:
    tier = await start_tier(policies=0, park_seconds=0.1)
    await tier.policy(schedule=tier.deadlines())
    await tier.arq(cron=False)

    verdict = await tier.client().check(high())

    assert (verdict.outcome, verdict.allowed) == (Outcome.EXPIRED, False)
    assert "Nobody answered in time" in verdict.reason
    assert await tier.events(verdict.id) == ["assessed", "parked", "expired"]
    assert (await tier.record(verdict.id)).state is State.EXPIRED
    assert await tier.records.count() == 0
    await until(lambda: not_queued(tier))


async def not_queued(tier: Tier) -> bool:
    return not await tier.redis.exists(ARQ_QUEUE)


async def test_deadlines_of_one_second_share_a_job(start_tier: StartTier) -> None:
    tier = await start_tier(policies=0, park_seconds=3600)
    await tier.policy(schedule=tier.deadlines())
    client = tier.client()

    submitted = await asyncio.gather(*(client.submit(high(f"rm {n}")) for n in range(50)))
    await tier.idle()

    seconds = {(status.deadline or 0) // 1000 + 1 for status in submitted}
    jobs = await tier.redis.zrange(ARQ_QUEUE, 0, -1)
    assert {job.decode() for job in jobs} == {f"expire:0:{second}" for second in seconds}


async def test_the_sweep_alone_expires_what_a_lost_job_left(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=0.01)
    await tier.arq(cron=True)

    verdict = await tier.client().check(high(), timeout=90)

    assert verdict.outcome is Outcome.EXPIRED


async def test_a_sweep_takes_what_is_due_and_nothing_else(start_tier: StartTier) -> None:
    tier = await start_tier(
        partitions=2, fleets={"web": {"park_seconds": 0.001}, "ops": {"park_seconds": 3600}}
    )
    kept = await tier.client("ops").submit(high(fleet="ops"))
    for number in range(20):
        client = tier.client("web", client_id=f"c-{number}")
        submitted = await client.submit(high())
    await past(submitted)

    assert await tier.steward().sweep() == 20
    assert await tier.steward().sweep() == 0

    (left,) = await tier.records.pending()
    assert left.id == kept.id


async def test_what_is_due_is_told_by_redis_and_not_by_the_stewards_clock(
    start_tier: StartTier, processes: Processes
) -> None:
    """Neither an hour late, nor, where its clock is ahead, an hour early."""
    tier = await start_tier(fleets={"web": {"park_seconds": 0.001}, "ops": {"park_seconds": 600}})
    kept = await tier.client("ops").submit(high(fleet="ops"))
    submitted = await tier.client().submit(high())
    await past(submitted)

    for offset in ("-3600", "3600"):
        off = {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": offset}
        process = processes.start([sys.executable, "-c", SWEEP, tier.url], **off, **tier.worker_env)
        assert await until(lambda process=process: process.poll() is not None, 90.0)
        assert process.returncode == 0

        assert await tier.events(submitted.id) == ["assessed", "parked", "expired"]
    (left,) = await tier.records.pending()
    assert left.id == kept.id


async def past(submitted: Status) -> None:
    """Wait until the deadline has passed."""
    await until(lambda: time() * 1000 > (submitted.deadline or 0))


async def test_of_many_stewards_one_expires(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=0.001)
    submitted = await tier.client().submit(high())
    await past(submitted)

    await asyncio.gather(*(tier.steward().sweep() for _ in range(5)))

    assert (await tier.events(submitted.id)).count("expired") == 1


async def test_an_expired_action_is_neither_approved_nor_redeemed(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=0.001)
    client, action = tier.client(), high()
    submitted = await client.submit(action)
    await until(tier.steward().sweep)

    with pytest.raises(WrongState, match="expired"):
        await tier.approver().approve(submitted.id)
    with pytest.raises(WrongState, match="expired"):
        await client.redeem(action)


async def test_a_parked_id_without_a_record_is_forgotten(tier: Tier) -> None:
    submitted = await tier.client().submit(high())
    await tier.redis.zadd(KEYS.parked, {"ghost.0": 1})

    await tier.steward().sweep()

    assert [record.id for record in await tier.records.pending()] == [submitted.id]
    assert await tier.records.count() == 1


async def test_a_steward_that_is_stopped_in_the_middle_of_a_job_ends_in_order(
    tier: Tier, processes: Processes
) -> None:
    await tier.redis.zadd(KEYS.parked, {f"ghost{n}.0": 1 for n in range(50_000)})
    steward = processes.worker("steward", tier.url, **tier.worker_env)
    await until(lambda: is_at_it(tier), 90.0)

    steward.terminate()

    await until(lambda: steward.poll() is not None, 90.0)
    assert steward.poll() == 0


async def is_at_it(tier: Tier, all_of_them: int = 50_000) -> bool:
    return await tier.records.count() < all_of_them


async def test_a_steward_that_is_stopped_between_many_jobs_ends_in_order(
    tier: Tier, processes: Processes
) -> None:
    now, deadlines = int(time()), tier.deadlines()
    await asyncio.gather(*(deadlines(0, (now - n) * 1000) for n in range(2, 1002)))
    steward = processes.worker("steward", tier.url, **tier.worker_env)
    await until(lambda: has_begun(tier), 90.0)

    steward.terminate()

    await until(lambda: steward.poll() is not None, 90.0)
    assert steward.poll() == 0


async def has_begun(tier: Tier) -> bool:
    return bool(await tier.redis.zcard(ARQ_QUEUE) < 990)


# -- retention ---------------------------------------------------------------------------------


async def test_tidying_drops_what_is_finished_and_keeps_what_is_not(
    start_tier: StartTier,
) -> None:
    tier = await start_tier()
    for _ in range(20):
        await tier.client().check(low())
    await tier.idle()
    for running in tier.workers:
        await running.stop()
    held = [await tier.redis.xadd(ACTIONS, {"n": n}) for n in range(3)]
    await tier.redis.xreadgroup(ANALYZERS, "busy-1", {ACTIONS: ">"}, count=1)

    await tier.steward().tidy()

    assert [entry for entry, _ in await tier.redis.xrange(ACTIONS)] == held
    assert await tier.redis.xlen(KEYS.assessed) == 0
    assert await tier.redis.xlen(KEYS.audit) == 40


async def test_old_audit_records_go_and_new_ones_stay(tier: Tier) -> None:
    for number in range(1, 400):
        await tier.redis.xadd(KEYS.audit, {"id": "old", "event": "x"}, id=f"{number}-0")
    verdict = await tier.client().check(low())
    assert await tier.redis.xlen(KEYS.audit) == 401

    await tier.steward().tidy()

    assert await tier.redis.xlen(KEYS.audit) < 200  # Redis drops whole nodes of about 100
    assert await tier.events(verdict.id) == ["assessed", "released"]


async def test_consumers_that_are_gone_are_retired_once_they_hold_nothing(
    start_tier: StartTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORGET_CONSUMER_MS", 0)
    tier = await start_tier(analyzers=0, policies=0)
    await tier.upkeep.prepare(["web"])
    await tier.redis.xadd(ACTIONS, {"n": 1})
    for consumer in ("busy-1", "gone-1"):
        await tier.redis.xgroup_createconsumer(ACTIONS, ANALYZERS, consumer)
    await tier.redis.xgroup_createconsumer(KEYS.answers, POLICIES, "gone-2")
    await tier.redis.xreadgroup(ANALYZERS, "busy-1", {ACTIONS: ">"})

    await tier.steward().tidy()

    (left,) = await tier.redis.xinfo_consumers(ACTIONS, ANALYZERS)
    assert (left["name"], left["pending"]) == (b"busy-1", 1)
    assert await tier.redis.xinfo_consumers(KEYS.answers, POLICIES) == []


async def test_what_waits_for_a_worker_that_does_not_come_is_named(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(analyzers=0, policies=0)
    await tier.upkeep.prepare(["web"])
    entry = await tier.redis.xadd(ACTIONS, {"n": 1})
    await tier.redis.xreadgroup(ANALYZERS, "dead-1", {ACTIONS: ">"})
    assert await tier.steward().stuck() == []

    await tier.redis.xclaim(ACTIONS, ANALYZERS, "dead-1", 0, [entry], idle=120_000)

    assert await tier.steward().stuck() == [ACTIONS]


async def test_a_job_that_is_not_cancelled_ends_where_the_steward_stops(tier: Tier) -> None:
    """redis-py loses a cancellation now and then."""
    await tier.redis.zadd(KEYS.parked, {f"ghost{n}.0": 1 for n in range(5_000)})
    steward = tier.steward()
    job = asyncio.create_task(steward.sweep())
    await until(lambda: is_at_it(tier, 5_000))

    steward.stopped = True
    await job

    assert await tier.records.count() > 0


async def test_streams_that_nobody_made_yet_hold_up_nothing(redis_url: str) -> None:
    steward = Steward(Settings.load(redis_url=redis_url))
    try:
        await steward.tidy()
    finally:
        await steward.close()
