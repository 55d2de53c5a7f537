"""What is claimed counts as one delivery more, unless Redis was to blame, and that not for ever."""

from __future__ import annotations

from redis.asyncio import Redis

from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS, Keys
from guardtier_workers.held import Held
from guardtier_workers.takeover import SPARES, Claimed, TakeOver

KEYS = Keys(0)
STREAM = KEYS.actions("web")


async def failing(redis: Redis) -> tuple[TakeOver, Delivery]:
    """An entry that this worker was given."""
    await redis.xgroup_create(STREAM, ANALYZERS, mkstream=True)
    entry = await redis.xadd(STREAM, {"id": "a.0"})
    await redis.xreadgroup(ANALYZERS, "me", {STREAM: ">"})
    claims = TakeOver(redis, KEYS, Held(1), group=ANALYZERS, consumer="me", claim_seconds=15)
    return claims, Delivery(0, STREAM, ANALYZERS, entry.decode(), {})


async def claimed(redis: Redis, claims: TakeOver, delivery: Delivery) -> list[Claimed]:
    """What is claimed 5 s later."""
    await redis.xclaim(STREAM, ANALYZERS, "me", 0, [delivery.entry], idle=5000, justid=True)
    return [one async for one in claims.claimed([STREAM])]


async def test_what_failed_since_redis_was_away_is_not_counted_but_not_for_ever(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        claims, delivery = await failing(redis)

        for _ in range(SPARES):
            claims.spare(delivery)
            assert [one.times for one in await claimed(redis, claims, delivery)] == [1]
        for times in (2, 3, 4):
            claims.spare(delivery)
            assert [one.times for one in await claimed(redis, claims, delivery)] == [times]


async def test_what_is_held_here_is_not_claimed_whoever_has_it(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        claims, delivery = await failing(redis)
        assert claims._held.take(delivery)
        for owner in ("me", "dead-1"):
            await redis.xclaim(STREAM, ANALYZERS, owner, 0, [delivery.entry], idle=60_000, justid=True)

            assert [one async for one in claims.claimed([STREAM])] == []
        ((entry, times),) = [
            (item["message_id"].decode(), item["times_delivered"])
            for item in await redis.xpending_range(STREAM, ANALYZERS, "-", "+", 10)
        ]
        assert (entry, times) == (delivery.entry, 1)
