"""Children placed in pools of arq workers: their votes, and what counts while a pool gives none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

import strange
from guardtier import Assessment, Finding, SecurityRisk
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.store.keys import pool_alive, pool_queue, pool_seen
from guardtier_workers import ask as module
from guardtier_workers.embedded import EmbeddedRedis
from guardtier_workers.pool import PoolWorker
from processes import Processes
from strange import member
from tier import StartTier, Tier, low
from waiting import until

LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))
QUEUE = pool_queue("gpu")


#: What a process of its own is given for a vote that must come.
IN_ITS_TIME = {"time_limit": 14.0}


def judge(kind: type[Any] = strange.Says, **settings: Any) -> dict[str, Any]:
    """Settings with one child in the pool ``gpu``, beside the agent's claim."""
    table = member(kind, **{"placement": "pool:gpu"} | settings)
    return {"security": {"security_analyzer": "judge"}, "analyzer": {"judge": table}}


async def start_pool(tier: Tier, processes: Processes) -> Any:
    """A worker of the pool as a process of its own, once it is at work."""
    process = processes.worker("pool gpu", tier.url, **tier.worker_env)
    await until(lambda: tier.redis.get(pool_alive("gpu")), 90.0)
    return process


async def with_time_limit(tier: Tier, time_limit: float) -> None:
    """Another analyzer worker in the place of the first, that waits so long for the pool."""
    running = tier.workers.pop(0)
    await running.stop()
    judging = tier.settings.analyzer["judge"].model_copy(update={"time_limit": time_limit})
    tier.settings = tier.settings.model_copy(
        update={"analyzer": tier.settings.analyzer | {"judge": judging}}
    )
    await tier.analyzer()


async def rated(tier: Tier, action: Any = None) -> Assessment:
    """What the tier recorded of an action."""
    submitted = await tier.client().submit(action or low())
    return (await tier.record(submitted.id)).assessment


def only_finding(assessment: Assessment) -> Finding:
    (found,) = [one for one in assessment.findings if one.id.startswith("pool.")]
    return found


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


def test_a_cluster_needs_a_redis_for_arq() -> None:
    settings = Settings.load(**judge() | {"redis_url": "redis+cluster://127.0.0.1:1"})

    with pytest.raises(ConfigError, match="Redis of its own") as refused:
        PoolWorker(settings, "gpu")

    assert refused.value.field == "arq_url"


# -- a pool played by hand -----------------------------------------------------------------------


Answer = Callable[[dict[str, str]], dict[str, Any]]


async def asked(redis: Redis) -> dict[str, str]:
    """What the next job in the queue asks."""

    async def queued() -> list[bytes]:
        return await redis.zrange(QUEUE, 0, 0)

    (job,) = await until(queued)
    body = json.loads(await redis.get(b"arq:job:" + job))
    name, event, digest, stream, number, _ = body["a"]
    return {"name": name, "event": event, "digest": digest, "stream": stream, "job": number}


async def played(tier: Tier, answer: Answer) -> Assessment:
    """Rate an action while somebody answers in the pool's place."""
    await tier.redis.set(pool_alive("gpu"), "by hand")
    rating: Awaitable[Assessment] = asyncio.ensure_future(rated(tier))
    ask = await asked(tier.redis)
    mine = {"job": ask["job"], "digest": ask["digest"], "claims": "0"}
    await tier.redis.xadd(ask["stream"], mine | answer(ask))
    return await rating


def vote_of(risk: SecurityRisk, **changed: Any) -> bytes:
    body = {"risk": risk, "votes": [{"child": "judge", "risk": risk, "us": 1}], **changed}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"digest": "0" * 64, "assessment": vote_of(LOW)}, "a vote for another digest"),
        ({"assessment": b"LOW"}, "can't be read"),
        ({"assessment": b""}, "can't be read"),
        ({"assessment": vote_of(LOW, colour="red")}, "can't be read"),
        ({"assessment": vote_of(LOW, failed=True)}, "no pool gives"),
        ({"assessment": vote_of(LOW) + b" " * module.MAX_VOTE}, "bytes, above"),
        ({}, "can't be read"),
    ],
)
async def test_a_malformed_vote_is_not_believed(
    start_tier: StartTier, answer: dict[str, Any], says: str
) -> None:
    tier = await start_tier(**judge(time_limit=10.0))

    assessment = await played(tier, lambda _: answer)

    found = only_finding(assessment)
    assert (assessment.risk, found.id, found.risk) == (HIGH, "pool.untrusted", HIGH)
    assert says in found.message


async def test_a_vote_played_by_hand_counts(start_tier: StartTier) -> None:
    tier = await start_tier(**judge(time_limit=10.0))

    assessment = await played(tier, lambda _: {"assessment": vote_of(MEDIUM)})

    assert (assessment.risk, assessment.findings) == (MEDIUM, ())


async def test_a_child_with_nothing_to_say_leaves_no_vote(start_tier: StartTier) -> None:
    tier = await start_tier(**judge(time_limit=10.0))

    assessment = await played(tier, lambda _: {"assessment": b'{"risk": "UNKNOWN"}'})

    assert [vote.child for vote in assessment.votes] == ["llm"]
    assert assessment.findings == ()


async def test_a_vote_that_nobody_asked_for_is_passed_over(start_tier: StartTier) -> None:
    tier = await start_tier(**judge(time_limit=10.0))
    await tier.redis.set(pool_alive("gpu"), "by hand")
    rating = asyncio.ensure_future(rated(tier))
    ask = await asked(tier.redis)
    for job in ("nobody", "\udcff"):
        await tier.redis.xadd(ask["stream"], {"job": job.encode("utf-8", "surrogateescape")})
    mine = {"job": ask["job"], "digest": ask["digest"], "assessment": vote_of(HIGH)}
    await tier.redis.xadd(ask["stream"], mine)

    assert (await rating).risk is HIGH


async def test_a_job_that_nobody_waits_for_is_taken_back(start_tier: StartTier) -> None:
    tier = await start_tier(**judge(time_limit=0.2))
    await tier.redis.set(pool_alive("gpu"), "nobody")

    assert only_finding(await rated(tier)).id == "pool.absent"

    async def empty() -> bool:
        jobs = [key async for key in tier.redis.scan_iter(match="arq:job:*")]
        return not jobs and not await tier.redis.exists(QUEUE)

    await until(empty)


async def test_open_asks_are_bounded(start_tier: StartTier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ASKS", 2)
    tier = await start_tier(**judge(time_limit=10.0))
    await tier.redis.set(pool_alive("gpu"), "by hand")
    client = tier.client()
    held = [asyncio.ensure_future(client.submit(low(f"ls {n}"))) for n in range(2)]

    async def two() -> bool:
        return bool(await tier.redis.zcard(QUEUE) == 2)

    await until(two)
    found = only_finding(await rated(tier))

    assert "2 votes are asked of it already" in found.message
    for ask in await tier.redis.zrange(QUEUE, 0, -1):
        body = json.loads(await tier.redis.get(b"arq:job:" + ask))["a"]
        await tier.redis.xadd(body[3], {"job": body[4], "digest": body[2], "assessment": vote_of(LOW)})
    await asyncio.gather(*held)


async def test_a_costly_child_of_a_pool_is_skipped_once_the_cheap_ones_said_high(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(**judge(when="not_high", time_limit=10.0))
    await tier.redis.set(pool_alive("gpu"), "by hand")

    assessment = await rated(tier, low(security_risk="HIGH"))

    assert {vote.child: vote.skipped for vote in assessment.votes} == {"llm": False, "judge": True}
    assert {one.id for one in assessment.findings} == {"llm.claim"}


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
