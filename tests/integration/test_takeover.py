"""What is claimed counts as one delivery more, unless Redis was to blame, and that not for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS, Keys
from guardtier_workers import lane, takeover
from guardtier_workers.held import Held
from guardtier_workers.takeover import SPARES, Claimed, TakeOver
from tier import StartTier, low, submitted
from waiting import until

KEYS = Keys(0)
STREAM = KEYS.actions("web")


@asynccontextmanager
async def failing(redis: Redis) -> AsyncIterator[tuple[TakeOver, Delivery]]:
    """An entry that this worker was given."""
    await redis.xgroup_create(STREAM, ANALYZERS, mkstream=True)
    entry = await redis.xadd(STREAM, {"id": "a.0"})
    await redis.xreadgroup(ANALYZERS, "me", {STREAM: ">"})
    claims = TakeOver(redis, KEYS, Held(1), group=ANALYZERS, consumer="me", claim_seconds=15)
    yield claims, Delivery(0, STREAM, ANALYZERS, entry.decode(), {})
    await claims.close()


async def claimed(redis: Redis, claims: TakeOver, delivery: Delivery) -> list[Claimed]:
    """What is claimed 5 s later."""
    await redis.xclaim(STREAM, ANALYZERS, "me", 0, [delivery.entry], idle=5000, justid=True)
    return [one async for one in claims.claimed([STREAM])]


async def test_what_failed_since_redis_was_away_is_not_counted_but_not_for_ever(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis, failing(redis) as (claims, delivery):
        for _ in range(SPARES):
            claims.spare(delivery)
            assert [one.times for one in await claimed(redis, claims, delivery)] == [1]
        for times in (2, 3, 4):
            claims.spare(delivery)
            assert [one.times for one in await claimed(redis, claims, delivery)] == [times]


async def test_what_is_held_here_is_not_claimed_whoever_has_it(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis, failing(redis) as (claims, delivery):
        assert claims._held.take(delivery)
        for owner in ("me", "dead-1"):
            await redis.xclaim(STREAM, ANALYZERS, owner, 0, [delivery.entry], idle=60_000, justid=True)

            assert [one async for one in claims.claimed([STREAM])] == []
        ((entry, times),) = [
            (item["message_id"].decode(), item["times_delivered"])
            for item in await redis.xpending_range(STREAM, ANALYZERS, "-", "+", 10)
        ]
        assert (entry, times) == (delivery.entry, 1)


async def test_no_entry_is_too_long_for_a_worker(
    start_tier: StartTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may add to a stream could end every worker with what is larger than its memory."""
    monkeypatch.setattr(lane, "READ_BYTES", 3_000_000)
    monkeypatch.setattr(takeover, "ENTRY_BYTES", 2_000_000)
    tier = await start_tier(analyzers=0, fleets={"web": {}, "ops": {}})
    await tier.upkeep.prepare(["web", "ops"])
    for n in range(4):
        await tier.redis.xadd(STREAM, submitted(low("x" * 900_000, id=f"a{n}.0"), client="honest"))
    long = await tier.redis.xadd(STREAM, submitted(low(id="long.0")) | {"more": "x" * 2_100_000})

    await tier.analyzer()

    assert (await tier.client("ops").check(low(fleet="ops"))).allowed
    await until(tier.is_idle)
    lines = await tier.audit()
    rated = [line["id"] for line in lines if line["event"] == "released" and line["fleet"] == "web"]
    assert sorted(rated) == ["a0.0", "a1.0", "a2.0", "a3.0"]
    assert [line["entry"] for line in lines if line["event"] == "given_up"] == [long.decode()]
    assert not await tier.redis.xrange(STREAM, long, long)
