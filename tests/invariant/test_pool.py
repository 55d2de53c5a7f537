"""The engine in a pool, in an environment of its own, beside workers from the ordinary one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from rules import call, command

from guardtier import ActionEvent, Assessment, GuardClient, SecurityRisk, State
from guardtier.store.keys import pool_alive
from guardtier.store.records import Record, Records
from guardtier_workers.embedded import EmbeddedRedis
from processes import Processes, until_alive
from waiting import until

ROOT = Path(__file__).parents[2]
ORDINARY = str(ROOT / ".venv" / "bin" / "python")
HIGH, UNKNOWN = SecurityRisk.HIGH, SecurityRisk.UNKNOWN
RULES = """
raise "Nothing is published from here [risk=high]" if:
    (call: ToolCall)
    call is tool:terminal
    any(find("twine upload", call.function.arguments.command))

raise "no" if:
    (call: ToolCall)
    call is tool:terminal
    match("ls (a+)+$", call.function.arguments.command)
"""


class Tier:
    """A tier whose analyzer and policy worker know nothing of invariant-ai."""

    def __init__(self, url: str, config: Path, processes: Processes) -> None:
        self._url, self._config, self._processes = url, config, processes
        self.redis = Redis.from_url(url)
        self.client = GuardClient(url, fleet="web")

    async def start(self) -> None:
        for kind in ("analyzer", "policy"):
            argv = [ORDINARY, "-m", "guardtier_workers.worker", kind, "--config", str(self._config)]
            await until_alive(self.redis, self._processes.start([*argv, "--redis-url", self._url]))

    async def pool(self):
        """A worker of the pool, from this environment."""
        worker = self._processes.worker("pool invariant", self._url, "--config", str(self._config))
        await until(lambda: self.redis.get(pool_alive("invariant")), 90.0)
        return worker

    async def rated(self, action: ActionEvent) -> Record:
        """What became of it: released, or parked."""
        records = Records(self.redis, 1)
        submitted = await self.client.submit(action)

        async def decided() -> Record | None:
            record = await records.get(submitted.id)
            return None if record.state is State.ASSESSED else record

        return await until(decided, 90.0)

    async def close(self) -> None:
        await self.client.aclose()
        await self.redis.aclose()


@pytest.fixture
async def tier(server: EmbeddedRedis, processes: Processes, tmp_path: Path) -> AsyncIterator[Tier]:
    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
    (tmp_path / "rules.iv").write_text(RULES)
    config = tmp_path / "settings.toml"
    config.write_text(f"""
analyzers = ["shell", "invariant"]
[fleets.web]
[analyzer.invariant]
placement = "pool:invariant"
policy = {json.dumps(str(tmp_path / "rules.iv"))}
seconds = 2.0
time_limit = 12.0
""")
    made = Tier(server.url, config, processes)
    await made.start()
    yield made
    await made.close()


def votes(assessment: Assessment) -> dict[str, SecurityRisk]:
    return {vote.child: vote.risk for vote in assessment.votes}


def ids(assessment: Assessment) -> list[str]:
    return [finding.id for finding in assessment.findings if finding.id.startswith(("inv", "pool"))]


async def test_its_rules_park_what_others_would_release(tier: Tier) -> None:
    await tier.pool()

    parked = await tier.rated(command("twine upload dist/x.whl"))
    released = await tier.rated(command("ls -la"))

    assert parked.state is State.PARKED
    assert votes(parked.assessment)["invariant"] is HIGH
    (finding,) = [one for one in parked.assessment.findings if one.id == "invariant.rule"]
    assert "Rule 1 of the Invariant policy (line 2) fires: “Nothing is published" in finding.message
    assert (finding.field, finding.span) == ("arguments.command", (0, 12))
    assert released.state is State.RELEASED
    assert "invariant" not in votes(released.assessment)


async def test_what_it_can_not_answer_is_parked_as_unknown_and_the_pool_goes_on(tier: Tier) -> None:
    await tier.pool()

    late = await tier.rated(command("ls " + "a" * 60 + "!"))
    failed = await tier.rated(call("terminal", cmd="ls"))

    assert (late.state, late.assessment.risk) == (State.PARKED, UNKNOWN)
    assert ids(late.assessment) == ["invariant.late"]
    assert ids(failed.assessment) == ["invariant.failed"] * 2
    assert (await tier.rated(command("ls -la"))).state is State.RELEASED


async def test_without_its_pool_it_is_absent(tier: Tier) -> None:
    away = await tier.rated(command("ls -la"))
    assert (away.state, ids(away.assessment)) == (State.PARKED, ["pool.absent"])

    worker = await tier.pool()
    engines = worker.children()
    worker.terminate()
    await asyncio.to_thread(worker.wait, 30.0)

    assert worker.returncode == 0
    assert len(engines) == 1
    assert not engines[0].is_running()


def test_a_pool_with_a_policy_that_is_no_good_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "rules.iv").write_text(RULES + 'raise "no" if:\n    (call: ToolCall)\n    frob(call)\n')
    config = tmp_path / "settings.toml"
    config.write_text(f"""
analyzers = ["shell", "invariant"]
[analyzer.invariant]
placement = "pool:invariant"
policy = {json.dumps(str(tmp_path / "rules.iv"))}
""")
    argv = [sys.executable, "-m", "guardtier_workers.worker", "pool", "invariant", "--config", str(config)]

    ended = subprocess.run(argv, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == 2
    assert f"{tmp_path}/rules.iv:13:5: Failed to resolve identifier frob" in ended.stderr


async def test_many_at_once_get_each_its_own_vote(tier: Tier) -> None:
    await tier.pool()
    commands = [f"ls {n}" if n % 2 else f"twine upload {n}" for n in range(20)]

    records = await asyncio.gather(*(tier.rated(command(text)) for text in commands))

    assert [one.state for one in records] == [State.PARKED, State.RELEASED] * 10
