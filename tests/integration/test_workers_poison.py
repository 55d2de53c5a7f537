"""Actions that the workers can't handle: rated HIGH, or parked unrated, and out of the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from psutil import Popen

from guardtier import ActionEvent, Assessment, SecurityRisk, State
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.errors import AnalysisFailed, GuardtierError
from guardtier.store.keys import Keys
from processes import Processes
from tier import Gate, StartTier, Tier, low, only, submitted
from waiting import until

KEYS = Keys(0)
ACTIONS = KEYS.actions("web")
IMPATIENT = {"analyzer_seconds": 0.1, "claim_seconds": 0.5, "max_deliveries": 1}


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


class Broken(EnsembleSecurityAnalyzer):
    """Breaks down itself over that command, beyond what any analyzer in it can do."""

    def assess_cheaply(self, action: ActionEvent) -> Assessment | None:
        if action.arguments["command"] == "poison":
            raise Collapse
        return super().assess_cheaply(action)


@pytest.fixture
async def unmanned(start_tier: StartTier) -> Tier:
    """A tier that is prepared, without workers."""
    tier = await start_tier(analyzers=0, policies=0, max_deliveries=2)
    await tier.upkeep.prepare(["web"])
    return tier


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), RecursionError(), Collapse()], ids=repr)
async def test_an_analyzer_that_fails_votes_high(start_tier: StartTier, error: BaseException) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(Poison(error)))

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
    await tier.analyzer(analyzers=Broken([Poison(ValueError("never asked"))]))
    client, poison = tier.client(), low("poison").placed_in(0)
    asking = asyncio.create_task(client.check(poison))

    await until(tier.holders)
    assert (await client.check(low())).allowed  # others don't wait for it
    await tier.parked()

    await is_parked_unrated(tier, poison)
    await tier.approver().approve(poison.id)
    assert (await asking).allowed


async def test_an_action_that_was_delivered_too_often_is_parked_unrated(unmanned: Tier) -> None:
    action = low().placed_in(0)
    await unmanned.hold("dead-1", action, deliveries=2)

    await unmanned.analyzer()
    await unmanned.policy()
    await unmanned.parked()

    await is_parked_unrated(unmanned, action)


async def test_an_action_whose_handler_hangs_is_parked_unrated(
    start_tier: StartTier, caplog: pytest.LogCaptureFixture
) -> None:
    tier, gate = await start_tier(analyzers=0, **IMPATIENT), Gate()
    worker = await tier.analyzer(analyzers=only(gate))  # the only one, and it lives
    asking = asyncio.create_task(tier.client().check(low().placed_in(0)))

    (record,) = await until(tier.parked)

    assert [finding.id for finding in record.assessment.findings] == ["analysis.failed"]
    assert gate.entered == 1
    assert worker.worker.lanes[0].failed == 1
    assert "its handler was not done" in caplog.text
    await tier.approver().approve(record.id)
    assert (await asking).allowed


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
    await unmanned.hold("dead-1", action, deliveries=3)

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
    assert dead[b"why"] == b"it holds no assessment"
    await unmanned.idle()


EXITS = """
import os
from guardtier.analyzers.base import SecurityAnalyzer
class Exits(SecurityAnalyzer):
    cheap = True
    def security_risk(self, action):
        if action.fleet == "web":  # and not where a worker warms up
            os._exit(3)
        return "UNKNOWN"
"""


async def test_an_action_that_ends_each_worker_is_parked_unrated(
    unmanned: Tier, processes: Processes, tmp_path: Path
) -> None:
    (tmp_path / "exits.py").write_text(EXITS)
    env = unmanned.worker_env | {
        "GUARDTIER_ANALYZERS": '["exits:Exits"]',
        "GUARDTIER_MAX_DELIVERIES": "2",
        "PYTHONPATH": str(tmp_path),
    }
    action = low().placed_in(0)
    await unmanned.redis.xadd(ACTIONS, submitted(action))

    for _ in range(2):
        worker = processes.worker("analyzer", unmanned.url, **env)
        assert await until(lambda worker=worker: ended(worker), 90.0)
        for name in (await unmanned.holders()).values():
            await unmanned.redis.delete(KEYS.alive("analyzers", name))  # its 3.5 s are over
    processes.worker("analyzer", unmanned.url, **env)
    await unmanned.policy()
    await unmanned.parked()

    await is_parked_unrated(unmanned, action)


def ended(worker: Popen) -> bool:
    return worker.poll() is not None
