"""A pool played by hand: what is no vote, and what nobody asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from guardtier import Assessment, SecurityRisk
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.store.keys import pool_alive
from guardtier_workers import ask as module
from guardtier_workers.pool import PoolWorker
from pooled import HIGH, LOW, MEDIUM, QUEUE, judge, only_finding, rated
from tier import StartTier, Tier, low
from waiting import until


def test_a_cluster_needs_a_redis_for_arq() -> None:
    settings = Settings.load(**judge() | {"redis_url": "redis+cluster://127.0.0.1:1"})

    with pytest.raises(ConfigError, match="Redis of its own") as refused:
        PoolWorker(settings, "gpu")

    assert refused.value.field == "arq_url"


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


# -- a pool played by hand -----------------------------------------------------------------------


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
