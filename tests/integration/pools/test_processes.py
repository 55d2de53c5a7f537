"""Pools as processes: their votes count; killed, hanging or away, they are late or absent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

import strange
from guardtier.store.keys import pool_alive, pool_seen
from guardtier_workers.embedded import EmbeddedRedis
from pooled import HIGH, IN_ITS_TIME, LOW, QUEUE, UNKNOWN, judge, only_finding, rated, with_time_limit
from processes import Processes
from tier import StartTier, Tier, low
from waiting import until


async def start_pool(tier: Tier, processes: Processes) -> Any:
    """A worker of the pool as a process of its own, once it is at work."""
    process = processes.worker("pool gpu", tier.url, **tier.worker_env)
    await until(lambda: tier.redis.get(pool_alive("gpu")), 90.0)
    return process


async def test_the_vote_of_a_pool_counts(start_tier: StartTier, processes: Processes) -> None:
    tier = await start_tier(**judge(risk="HIGH", **IN_ITS_TIME))
    pool = await start_pool(tier, processes)

    assessment = await rated(tier)

    assert assessment.risk is HIGH
    assert {vote.child: vote.risk for vote in assessment.votes} == {"llm": LOW, "judge": HIGH}
    assert [one.message for one in assessment.findings] == [f"in {pool.pid}"]
    assert await tier.redis.zcard(QUEUE) == 0
    (stream,) = [key async for key in tier.redis.scan_iter(match="gt:votes:*")]
    assert 0 < await tier.redis.ttl(stream) <= 120


async def test_what_a_pool_is_asked_of_comes_with_its_conversation(
    start_tier: StartTier, processes: Processes
) -> None:
    tier = await start_tier(**judge(strange.Remembers, **IN_ITS_TIME))
    await start_pool(tier, processes)
    client = tier.client()
    told = []

    for command in ("ls", "pwd"):
        done = await client.submit(low(command).model_copy(update={"conversation": "c1"}))
        told.append((done.id, (await tier.record(done.id)).assessment.findings[0].message))
    alone = await rated(tier)

    assert told[0][1] == "new "
    assert told[1][1] == f"known {told[0][0]}"
    assert alone.findings[0].message == "none "


async def test_many_ask_at_once_and_each_gets_its_own_vote(
    start_tier: StartTier, processes: Processes
) -> None:
    tier = await start_tier(**judge(risk="LOW", **IN_ITS_TIME))
    await start_pool(tier, processes)
    client = tier.client()

    verdicts = await asyncio.gather(*(client.check(low(f"ls {n}"), timeout=90) for n in range(40)))

    assert all(verdict.allowed for verdict in verdicts)


async def test_a_pool_that_never_was_is_absent_at_once(start_tier: StartTier) -> None:
    tier = await start_tier(**judge(time_limit=10.0))

    assessment = await rated(tier)

    found = only_finding(assessment)
    assert (assessment.risk, found.id, found.risk) == (UNKNOWN, "pool.absent", UNKNOWN)
    assert "The pool gpu, asked for the vote of judge, is absent: no worker of it is alive" in found.message
    assert await tier.redis.zcard(QUEUE) == 0


async def test_the_high_of_others_is_not_lost_with_a_pool(start_tier: StartTier) -> None:
    tier = await start_tier(**judge())

    assessment = await rated(tier, low(security_risk="HIGH"))

    assert assessment.risk is HIGH
    assert {one.id for one in assessment.findings} == {"llm.claim", "pool.absent"}


async def test_an_absent_pool_votes_as_configured(start_tier: StartTier) -> None:
    tier = await start_tier(**judge(absent="HIGH"))

    assert (await rated(tier)).risk is HIGH


async def test_a_pool_that_is_killed_is_late_and_then_absent_since_it_was_last_seen(
    start_tier: StartTier, processes: Processes
) -> None:
    tier = await start_tier(**judge(**IN_ITS_TIME))
    pool = await start_pool(tier, processes)
    assert (await rated(tier)).risk is LOW
    await with_time_limit(tier, 0.5)

    processes.kill(pool)
    await tier.redis.set(pool_alive("gpu"), "for as long as the test takes")
    late = only_finding(await rated(tier))
    await tier.redis.delete(pool_alive("gpu"))  # what time does
    gone = only_finding(await rated(tier))

    assert "has not voted within 0.5 s" in late.message
    assert "no worker of it is alive since 20" in gone.message
    assert await tier.redis.exists(pool_seen("gpu"))


async def test_a_pool_comes_back(start_tier: StartTier, processes: Processes) -> None:
    tier = await start_tier(**judge(**IN_ITS_TIME))
    assert (await rated(tier)).risk is UNKNOWN

    await start_pool(tier, processes)

    assert (await rated(tier)).risk is LOW


async def test_an_analyzer_that_hangs_in_a_pool_is_late_and_the_pool_goes_on(
    start_tier: StartTier, processes: Processes
) -> None:
    tier = await start_tier(**judge(strange.Blocks, time_limit=0.3))
    await start_pool(tier, processes)

    hung = await rated(tier, low("block"))
    await with_time_limit(tier, **IN_ITS_TIME)

    assert only_finding(hung).id == "pool.absent"
    assert (await rated(tier, low("ls"))).risk is LOW


@pytest.mark.parametrize("kind", [strange.Forks, strange.ReturnsNone, strange.Exits])
async def test_what_fails_in_a_pool_votes_high_and_says_why(
    kind: type[Any], start_tier: StartTier, processes: Processes, tmp_path: Any
) -> None:
    options = {"note": str(tmp_path / "note")} if kind is strange.Forks else {}
    tier = await start_tier(**judge(kind, **IN_ITS_TIME, **options))
    pool = await start_pool(tier, processes)

    assessment = await rated(tier)

    assert assessment.risk is HIGH
    assert assessment.findings[0].id == "analyzer.failed"
    assert "The analyzer judge" in assessment.findings[0].message
    assert pool.children() == []
    assert not (tmp_path / "note").exists()


async def test_a_stopped_pool_finishes_what_it_holds_and_ends(
    start_tier: StartTier, processes: Processes
) -> None:
    tier = await start_tier(**judge(**IN_ITS_TIME))
    pool = await start_pool(tier, processes)
    assert (await rated(tier)).risk is LOW

    pool.terminate()

    await until(lambda: pool.poll() is not None, 90.0)
    assert pool.poll() == 0


async def test_the_tier_goes_on_while_the_redis_of_its_pools_is_away(
    start_tier: StartTier, processes: Processes, own_server: EmbeddedRedis
) -> None:
    tier = await start_tier(**judge(), arq_url=own_server.url)
    env = tier.worker_env | {"GUARDTIER_ARQ_URL": own_server.url}
    nowhere = "redis://127.0.0.1:1/0"  # of the tier's own Redis a pool needs nothing
    pool = processes.worker("pool gpu", nowhere, **env)
    async with Redis.from_url(own_server.url) as arq:
        await until(lambda: arq.get(pool_alive("gpu")), 90.0)
    assert (await rated(tier)).risk is LOW

    own_server.kill()
    away = await rated(tier)
    own_server.start()

    assert only_finding(away).id == "pool.absent"

    async def votes_again() -> bool:
        return (await rated(tier)).risk is LOW

    await until(votes_again, 90.0)
    assert pool.is_running()


async def test_a_claim_stays_one_in_a_pool(start_tier: StartTier, processes: Processes) -> None:
    tier = await start_tier(
        analyzer={"llm": {"placement": "pool:gpu"}}, security={"security_analyzer": "mcp"}
    )
    await start_pool(tier, processes)

    low_claimed, high_claimed = [await rated(tier, low(security_risk=risk)) for risk in (LOW, HIGH)]

    assert {vote.child: vote.risk for vote in low_claimed.votes}["llm"] is LOW
    assert (low_claimed.risk, high_claimed.risk) == (UNKNOWN, HIGH)


# -- misbehaviour in a real analyzer worker --------------------------------------------------------


@pytest.mark.parametrize("kind", [strange.Forks, strange.ForksCheaply, strange.ForksLater])
async def test_a_worker_whose_analyzer_forks_stays_one_worker(
    kind: type[strange.Forks], start_tier: StartTier, processes: Processes, tmp_path: Any
) -> None:
    settings = judge(kind, placement="inline", note=str(tmp_path / "note"))
    tier = await start_tier(analyzers=0, **settings)
    worker = processes.worker("analyzer", tier.url, **tier.worker_env)
    client = tier.client()

    submitted = [await client.submit(low(f"ls {n}"), timeout=90) for n in range(3)]

    for one in submitted:
        assessment = (await tier.record(one.id)).assessment
        assert (assessment.risk, assessment.findings[0].id) == (HIGH, "analyzer.failed")
        assert "forked" in assessment.findings[0].message
        assert (await tier.events(one.id)).count("assessed") == 1
    assert worker.children() == []
    assert not (tmp_path / "note").exists()


@pytest.mark.parametrize("kind", [strange.BlocksForEver, strange.DoesNotListen])
async def test_a_worker_whose_analyzer_hangs_goes_on_and_ends_when_it_is_told(
    kind: type[Any], start_tier: StartTier, processes: Processes
) -> None:
    tier = await start_tier(analyzers=0, **judge(kind, placement="inline", time_limit=0.05))
    worker = processes.worker("analyzer", tier.url, **tier.worker_env)
    client = tier.client()

    submitted = [await client.submit(low(f"ls {n}"), timeout=90) for n in range(8)]
    says = [(await tier.record(one.id)).assessment.findings[0].message for one in submitted]
    worker.terminate()

    assert "The analyzer judge took longer than 0.05 s" in says[0]
    if kind is strange.BlocksForEver:
        assert "is not asked: 4 earlier calls have not come back" in says[-1]
    await until(lambda: worker.poll() is not None, 90.0)
    assert worker.poll() == 0
