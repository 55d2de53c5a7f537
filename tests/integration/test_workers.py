"""The workers' loop: what a dead one held, what nobody can handle, draining, a fair share."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from guardtier import ActionEvent, Assessment, SecurityRisk, State
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.errors import AnalysisFailed, GuardtierError
from guardtier.store.keys import ANALYZERS, POLICIES, Keys
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)
ACTIONS = KEYS.actions("web")
LONG_AGO = 60_000  #: milliseconds


class Gate(SecurityAnalyzer):
    """Lets nothing through until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        self.entered += 1
        await self.open.wait()
        return Assessment(risk=SecurityRisk.LOW)


class Collapse(BaseException):
    """What no ``except Exception`` catches."""


class Poison(SecurityAnalyzer):
    """Breaks down over one command; everything else is harmless."""

    cheap = True

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        if action.arguments["command"] == "poison":
            raise self._error
        return SecurityRisk.LOW


def only(analyzer: SecurityAnalyzer) -> dict[str, Any]:
    return {"analyzers": EnsembleSecurityAnalyzer([analyzer], time_limit=60)}


def submitted(action: ActionEvent, client: str = "raw-1") -> dict[str, Any]:
    return {"op": "submit", "id": action.id, "client": client, "payload": action.to_json()}


async def held_by(
    tier: Tier, consumer: str, action: ActionEvent, *, deliveries: int = 1, idle: int = LONG_AGO
) -> str:
    """An entry that was handed to this consumer, so often and so long ago."""
    entry = await tier.redis.xadd(ACTIONS, submitted(action))
    await tier.redis.xreadgroup(ANALYZERS, consumer, {ACTIONS: ">"})
    await tier.redis.xclaim(
        ACTIONS, ANALYZERS, consumer, 0, [entry], idle=idle, retrycount=deliveries, justid=True
    )
    return entry.decode()


async def holders(tier: Tier, stream: str = ACTIONS, group: str = ANALYZERS) -> dict[str, str]:
    """Who holds what of a stream."""
    found = await tier.redis.xpending_range(stream, group, min="-", max="+", count=1000)
    return {item["message_id"].decode(): item["consumer"].decode() for item in found}


@pytest.fixture
async def unmanned(start_tier: StartTier) -> Tier:
    """A tier that is prepared, without workers."""
    tier = await start_tier(analyzers=0, policies=0, max_deliveries=2)
    await tier.upkeep.prepare(["web"])
    return tier


# -- taking over -------------------------------------------------------------------------------


async def test_what_a_dead_worker_held_is_taken_over(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await held_by(unmanned, "dead-1", action)

    await unmanned.analyzer()
    await unmanned.policy()

    await until(unmanned.is_idle)
    assert await unmanned.events(action.id) == ["assessed", "released"]


async def test_what_a_dead_policy_worker_held_is_taken_over(unmanned: Tier) -> None:
    action = high().placed_in(0)
    await unmanned.analyzer()
    await unmanned.redis.xadd(ACTIONS, submitted(action))
    (_, [(entry, _)]) = (
        await unmanned.redis.xreadgroup(POLICIES, "dead-1", {KEYS.assessed: ">"}, block=5000)
    )[0]
    await unmanned.redis.xclaim(KEYS.assessed, POLICIES, "dead-1", 0, [entry], idle=LONG_AGO)

    await unmanned.policy()

    assert (await unmanned.parked())[0].id == action.id


async def test_what_a_living_worker_holds_is_left_to_it(unmanned: Tier) -> None:
    mine, dead = low().placed_in(0), low().placed_in(0)
    entry = await held_by(unmanned, "busy-1", mine, idle=5000)
    await unmanned.redis.set(KEYS.alive(ANALYZERS, "busy-1"), "{}", px=LONG_AGO)
    await held_by(unmanned, "dead-1", dead)

    await unmanned.analyzer()
    await until(lambda: unmanned.events(dead.id))  # so it has looked at both

    assert await holders(unmanned) == {entry: "busy-1"}
    assert await unmanned.events(mine.id) == []


async def test_what_a_living_worker_holds_for_too_long_is_taken_over(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await held_by(unmanned, "stuck-1", action, idle=LONG_AGO)
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


# -- what cannot be analyzed -------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), RecursionError()], ids=repr)
async def test_an_analyzer_that_fails_votes_high(start_tier: StartTier, error: Exception) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(**only(Poison(error)))

    submit = await tier.client().submit(low("poison"))

    record = await tier.record(submit.id)
    assert record.state is State.PARKED
    assert [finding.id for finding in record.assessment.findings] == ["analyzer.failed"]


async def test_an_analyzer_that_takes_too_long_votes_high(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=EnsembleSecurityAnalyzer([Gate()], time_limit=0.05))

    submit = await tier.client().submit(low())

    (finding,) = (await tier.record(submit.id)).assessment.findings
    assert finding.id == "analyzer.failed"
    assert "took longer than 0.05 s" in finding.message


async def test_an_action_that_breaks_the_worker_each_time_is_parked_unrated(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(analyzers=0, max_deliveries=2)
    await tier.analyzer(**only(Poison(Collapse())))
    client, poison = tier.client(), low("poison").placed_in(0)
    asking = asyncio.create_task(client.check(poison))

    await until(lambda: holders(tier))
    assert (await client.check(low())).allowed  # others don't wait for it
    await tier.parked()

    await is_parked_unrated(tier, poison)
    await tier.approver().approve(poison.id)
    assert (await asking).allowed


async def test_an_action_that_was_delivered_too_often_is_parked_unrated(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await held_by(unmanned, "dead-1", action, deliveries=2)

    await unmanned.analyzer()
    await unmanned.policy()
    await unmanned.parked()

    await is_parked_unrated(unmanned, action)


async def is_parked_unrated(tier: Tier, action: ActionEvent) -> None:
    record = await tier.record(action.id)
    assert record.state is State.PARKED
    assert record.assessment.failed
    assert [finding.id for finding in record.assessment.findings] == ["analysis.failed"]
    ((_, dead),) = await tier.redis.xrange(KEYS.dead)
    assert (dead[b"id"].decode(), dead[b"payload"]) == (action.id, action.to_json())
    assert dead[b"why"] == b"delivered 2 times without an answer"
    assert await tier.events(action.id) == ["assessed", "parked"]
    await tier.idle()


async def test_what_cannot_even_be_parked_is_refused(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await held_by(unmanned, "dead-1", action, deliveries=3)

    await unmanned.analyzer()

    ((_, reply),) = await until(lambda: unmanned.redis.xrange(KEYS.reply("web", "raw-1")))
    error = GuardtierError.from_json(reply[b"error"])
    assert (type(error), error.field) == (AnalysisFailed, "payload")
    await unmanned.idle()
    assert await unmanned.redis.xlen(KEYS.dead) == 1
    assert await unmanned.events(action.id) == ["refused"]


async def test_what_cannot_be_decided_is_parked(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await unmanned.analyzer()
    await unmanned.redis.xadd(ACTIONS, submitted(action))
    genuine = (await until(lambda: unmanned.redis.xrange(KEYS.assessed)))[0]
    await unmanned.redis.xdel(KEYS.assessed, genuine[0])
    await unmanned.redis.xadd(KEYS.assessed, genuine[1] | {b"assessment": b"{"})

    await unmanned.policy()
    (record,) = await unmanned.parked()

    assert (record.id, record.policy) == (action.id, "policy.failed")
    ((_, dead),) = await unmanned.redis.xrange(KEYS.dead)
    assert dead[b"why"] == b"delivered 2 times without a decision"
    await unmanned.idle()


# -- stopping ----------------------------------------------------------------------------------


async def test_a_worker_that_is_stopped_finishes_what_it_has(start_tier: StartTier) -> None:
    tier, gate = await start_tier(analyzers=0), Gate()
    worker = await tier.analyzer(**only(gate))
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
    worker = await tier.analyzer(**only(gate))
    asking = asyncio.create_task(tier.client().check(low()))
    await until(lambda: gate.entered)

    await worker.stop()

    assert set((await holders(tier)).values()) == {worker.worker.name}
    await tier.redis.delete(KEYS.alive(ANALYZERS, worker.worker.name))  # its 3.5 s are over
    await tier.analyzer()
    assert (await asking).allowed


async def test_a_worker_says_that_it_lives(tier: Tier) -> None:
    await tier.client().check(low())

    for running in tier.workers:
        worker = running.worker
        key = KEYS.alive(worker.group, worker.name)
        body = orjson.loads(await tier.redis.get(key))
        assert body["consumer"] == worker.name
        assert 0 < await tier.redis.pttl(key) <= 3500
        assert worker.health["ok"]
        assert worker.health["handled"] == 1
