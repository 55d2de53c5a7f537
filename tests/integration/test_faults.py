"""What breaks in the middle of work: workers are killed or frozen, Redis is killed. Nothing is lost,
nothing is decided twice, nothing is released that nobody decided."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from guardtier import ActionEvent, ApproverClient, GuardClient, Outcome, State, Verdict
from guardtier.errors import TierUnavailable, UnknownAction, WrongState
from guardtier.store.connection import RedisError
from guardtier.store.records import Record
from guardtier_workers.embedded import EmbeddedRedis
from processes import Processes, until_alive
from tier import Tier, high, low
from waiting import until

AGENTS = 64
#: As little patience as the settings allow, so that the dead are replaced soon.
IMPATIENT = {"GUARDTIER_ANALYZER_SECONDS": "1", "GUARDTIER_CLAIM_SECONDS": "2", "GUARDTIER_SHARE": "8"}
ENDINGS = {outcome.value for outcome in Outcome}


@pytest.fixture
async def tier(redis_url: str, tmp_path: Path) -> Any:
    """A tier whose workers are processes: this one only prepares, asks and looks."""
    async with Tier(redis_url, tmp_path) as tier:
        await tier.upkeep.prepare(["web"])
        yield tier


class Fleet:
    """64 agents of one client with so many actions: most are LOW, some are parked and answered."""

    def __init__(self, tier: Tier, count: int) -> None:
        self.tier = tier
        self.actions = [self._action(number) for number in range(count)]
        self.verdicts: dict[str, Verdict] = {}
        self._approver = tier.approver()

    @staticmethod
    def _action(number: int) -> ActionEvent:
        if number % 50 == 0:
            return high(f"rm -rf ~/.ssh # {number}", conversation="approve")
        if number % 50 == 25:
            return high(f"rm -rf ~/.ssh # {number}", conversation="reject")
        return low(f"echo {number}")

    @staticmethod
    def expected(action: ActionEvent) -> Outcome:
        outcomes = {None: Outcome.RELEASED, "approve": Outcome.APPROVED, "reject": Outcome.REJECTED}
        return outcomes[action.conversation]

    async def run(self) -> None:
        todo = list(reversed(self.actions))
        guard = self.tier.client()

        async def agent() -> None:
            while todo:
                action = todo.pop()
                self.verdicts[action.id] = await guard.check(action, timeout=120)

        answering = asyncio.create_task(self._answer_all(self._approver))
        try:
            await asyncio.gather(*(agent() for _ in range(AGENTS)))
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _answer_all(self, approver: ApproverClient) -> None:
        while True:
            with suppress(RedisError, OSError):  # Redis is away: look again
                for record in await self.tier.records.pending():
                    with suppress(WrongState, UnknownAction):  # an answer before the break did count
                        await self._answer(approver, record)
            await asyncio.sleep(0.02)

    async def _answer(self, approver: ApproverClient, record: Record) -> None:
        if record.action.conversation == "approve":
            await approver.approve(record.id)
        else:
            await approver.reject(record.id, reason="no")

    async def progress(self, share: float) -> None:
        """Wait until this share of the actions has a verdict, and some are still under way."""
        await until(lambda: len(self.verdicts) >= share * len(self.actions), 120.0)
        assert len(self.verdicts) < len(self.actions)

    async def check_each_ended_once(self) -> None:
        """The agents were told what the records say, and every action ended once, as it should."""
        endings = Counter(
            (line["id"], line["event"]) for line in await self.tier.audit() if line["event"] in ENDINGS
        )
        assert set(endings.values()) == {1}
        assert len(endings) == len(self.actions)
        for action in self.actions:
            verdict = self.verdicts[action.id]
            assert verdict.outcome is self.expected(action)
            assert verdict.digest == action.digest
            record = await self.tier.record(verdict.id)
            assert record.verdict == verdict
            redeemed = verdict.outcome is Outcome.APPROVED
            assert record.state is (State.REDEEMED if redeemed else verdict.outcome.state)


async def test_killed_workers_lose_nothing_and_decide_nothing_twice(
    tier: Tier, processes: Processes
) -> None:
    env = IMPATIENT | tier.worker_env
    workers = {kind: processes.worker(kind, tier.url, **env) for kind in ("analyzer", "policy")}
    for worker in workers.values():
        await until_alive(tier.redis, worker)
    fleet = Fleet(tier, 5000)
    running = asyncio.create_task(fleet.run())

    for share, kind in ((0.2, "analyzer"), (0.5, "policy")):
        await fleet.progress(share)
        processes.kill(workers[kind])
        workers[kind] = processes.worker(kind, tier.url, **env)

    await running
    await fleet.check_each_ended_once()


async def test_a_worker_that_wakes_up_late_decides_nothing_twice(tier: Tier, processes: Processes) -> None:
    env = IMPATIENT | tier.worker_env
    workers = [
        processes.worker(kind, tier.url, **env) for kind in ("analyzer", "analyzer", "policy", "policy")
    ]
    for worker in workers:
        await until_alive(tier.redis, worker)
    fleet = Fleet(tier, 2000)
    running = asyncio.create_task(fleet.run())

    await fleet.progress(0.2)
    asleep = [workers[0], workers[2]]
    for worker in asleep:
        processes.stop(worker)
    await fleet.progress(0.6)
    for worker in asleep:
        processes.cont(worker)

    await running
    await tier.idle()
    await fleet.check_each_ended_once()


async def test_redis_is_killed_and_everybody_comes_back(
    own_server: EmbeddedRedis, tmp_path: Path, processes: Processes
) -> None:
    async with Tier(own_server.url, tmp_path) as tier:
        await tier.upkeep.prepare(["web"])
        env = IMPATIENT | tier.worker_env
        workers = [processes.worker(kind, tier.url, **env) for kind in ("analyzer", "policy")]
        for worker in workers:
            await until_alive(tier.redis, worker)
        fleet = Fleet(tier, 3000)
        running = asyncio.create_task(fleet.run())

        for share in (0.3, 0.6):
            await fleet.progress(share)
            own_server.kill()
            own_server.start()

        await running
        assert all(worker.is_running() for worker in workers)
        await fleet.check_each_ended_once()
        assert await _released_without_decision(tier) == []


async def _released_without_decision(tier: Tier) -> list[str]:
    """Records that say released or approved although the audit stream knows of no decision."""
    decided = {line["id"] for line in await tier.audit() if line["event"] in ("released", "approved")}
    found = []
    async for key in tier.redis.scan_iter(match="gt:{0}:action:*", count=1000):
        state = await tier.redis.hget(key, "state")
        allowed = state in (b"released", b"approved", b"redeemed")
        action_id = key.decode().rpartition(":")[2]
        if allowed and action_id not in decided:
            found.append(action_id)
    return found


async def test_a_client_is_told_that_redis_is_away_and_nothing_is_allowed(
    own_server: EmbeddedRedis,
) -> None:
    async with GuardClient(own_server.url, fleet="web") as guard:
        own_server.kill()
        with pytest.raises(TierUnavailable):
            await guard.check(low(), timeout=1.5)
