"""The workers' loop: what a dead one held, what nobody can handle, draining, a fair share."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from guardtier.store.keys import ANALYZERS, POLICIES, Keys
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.takeover import PAGES, PEEK
from tier import Gate, StartTier, Tier, high, low, only, submitted
from waiting import until

KEYS = Keys(0)
ACTIONS = KEYS.actions("web")
LONG_AGO = 60_000  #: milliseconds


@pytest.fixture
async def unmanned(start_tier: StartTier) -> Tier:
    """A tier that is prepared, without workers."""
    tier = await start_tier(analyzers=0, policies=0, max_deliveries=2)
    await tier.upkeep.prepare(["web"])
    return tier


# -- beginning ----------------------------------------------------------------------------------


async def test_a_worker_with_a_wrong_password_says_so_and_is_no_flood(
    unmanned: Tier, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"redis://gone:wrong@{unmanned.url.rpartition('@')[2].removeprefix('redis://')}"
    worker = AnalyzerWorker(unmanned.settings.model_copy(update={"redis_url": url}))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))

    async def tries() -> int:
        refused = [one for one in await unmanned.redis.acl_log() if one["username"] == "gone"]
        return sum(int(one["count"]) for one in refused)

    async def has_tried_on() -> bool:
        return await tries() >= 3

    await until(has_tried_on)
    stop.set()
    await running

    told = [one.getMessage() for one in caplog.records if "waits for Redis" in one.getMessage()]
    assert len(told) == 1
    assert "user and password in redis_url" in told[0]


# -- taking over -------------------------------------------------------------------------------


async def test_what_a_dead_worker_held_is_taken_over(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await unmanned.hold("dead-1", action)

    await unmanned.analyzer()
    await unmanned.policy()

    await until(unmanned.is_idle)
    assert await unmanned.events(action.id) == ["assessed", "released"]


async def test_what_a_dead_policy_worker_held_is_taken_over(unmanned: Tier) -> None:
    action = high().placed_in(0)
    await unmanned.analyzer()
    await unmanned.redis.xadd(ACTIONS, submitted(action))
    (_, [(entry, _)]) = (
        await unmanned.redis.xreadgroup(POLICIES, "dead-1", {KEYS.assessed: ">"}, block=60_000)
    )[0]
    await unmanned.redis.xclaim(KEYS.assessed, POLICIES, "dead-1", 0, [entry], idle=LONG_AGO)

    await unmanned.policy()

    assert (await unmanned.parked())[0].id == action.id


async def test_what_a_living_worker_holds_is_left_to_it(unmanned: Tier) -> None:
    mine, dead = low().placed_in(0), low().placed_in(0)
    entry = await unmanned.hold("busy-1", mine, idle_ms=5000)
    await unmanned.redis.set(KEYS.alive(ANALYZERS, "busy-1"), "{}", px=LONG_AGO)
    await unmanned.hold("dead-1", dead)

    await unmanned.analyzer()
    await until(lambda: unmanned.events(dead.id))  # so it has looked at both

    assert await unmanned.holders() == {entry: "busy-1"}
    assert await unmanned.events(mine.id) == []


async def test_what_slow_workers_hold_does_not_hide_what_a_dead_one_left(unmanned: Tier) -> None:
    many = PEEK * PAGES + 5  # more than one look goes through
    entries = [await unmanned.redis.xadd(ACTIONS, submitted(low().placed_in(0))) for _ in range(many)]
    await unmanned.redis.xreadgroup(ANALYZERS, "busy-1", {ACTIONS: ">"}, count=many)
    await unmanned.redis.xclaim(ACTIONS, ANALYZERS, "busy-1", 0, entries, idle=5000, justid=True)
    await unmanned.redis.set(KEYS.alive(ANALYZERS, "busy-1"), "{}", px=LONG_AGO)
    dead = low().placed_in(0)
    await unmanned.hold("dead-1", dead)

    await unmanned.analyzer()

    await until(lambda: unmanned.events(dead.id))
    assert set((await unmanned.holders()).values()) == {"busy-1"}
    await unmanned.redis.delete(ACTIONS)  # nobody is to drain it


async def test_what_a_living_worker_holds_for_too_long_is_taken_over(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await unmanned.hold("stuck-1", action)
    await unmanned.redis.set(KEYS.alive(ANALYZERS, "stuck-1"), "{}", px=LONG_AGO)

    await unmanned.analyzer()

    await until(lambda: unmanned.events(action.id))
    await unmanned.redis.delete(KEYS.alive(ANALYZERS, "stuck-1"))


async def test_four_workers_do_everything_once(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=2, policies=2)
    client = tier.client()

    verdicts = await asyncio.gather(*(client.check(low(f"ls {n}")) for n in range(200)))
    await tier.idle()

    for verdict in verdicts:
        assert await tier.redis.hget(KEYS.action(verdict.id), "state") == b"released"
    lines = [(line["id"], line["event"]) for line in await tier.audit()]
    assert len(lines) == len(set(lines)) == 400


# -- stopping ----------------------------------------------------------------------------------


async def test_a_worker_that_is_stopped_finishes_what_it_has(start_tier: StartTier) -> None:
    tier, gate = await start_tier(analyzers=0), Gate()
    worker = await tier.analyzer(analyzers=only(gate))
    client = tier.client()
    asking = [asyncio.create_task(client.check(low(f"ls {n}"))) for n in range(10)]
    await until(lambda: gate.entered == 10)

    stopping = asyncio.create_task(worker.stop())
    await until(lambda: worker.worker.lanes[0]._stopping)
    gate.open.set()
    await stopping

    assert all(verdict.allowed for verdict in await asyncio.gather(*asking))
    assert await tier.redis.xinfo_consumers(ACTIONS, ANALYZERS) == []
    assert not await tier.redis.exists(KEYS.alive(ANALYZERS, worker.worker.name))


async def test_what_is_not_finished_in_time_is_left_to_others(start_tier: StartTier) -> None:
    tier, gate = await start_tier(analyzers=0, drain_seconds=0.05), Gate()
    worker = await tier.analyzer(analyzers=only(gate))
    asking = asyncio.create_task(tier.client().check(low()))
    await until(lambda: gate.entered)

    await worker.stop()

    assert set((await tier.holders()).values()) == {worker.worker.name}
    await tier.redis.delete(KEYS.alive(ANALYZERS, worker.worker.name))  # its 3.5 s are over
    await tier.analyzer()
    assert (await asking).allowed


async def test_a_worker_says_that_it_lives(tier: Tier) -> None:
    await tier.client().check(low())

    for running in tier.workers:
        worker = running.worker
        key = KEYS.alive(worker.group, worker.name)
        body = orjson.loads(await until(lambda key=key: tier.redis.get(key)))
        assert body["consumer"] == worker.name
        assert await tier.redis.pttl(key) != -1, "it ends"
        assert await tier.redis.pttl(key) <= 3500
        await until(lambda worker=worker: worker.health["handled"] == 1)  # its client hears of it at once
        assert worker.health["ok"]
