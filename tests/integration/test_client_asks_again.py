"""What is asked again after a break may be under way or waited for: no refusal of it ends the wait."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from guardtier.errors import QuotaExceeded
from guardtier.store.tail import PAGE, Tail
from tier import StartTier, Tier, high
from waiting import until


async def test_a_spent_quota_does_not_end_the_wait_of_who_has_asked_before(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {"quota": {"rate": 0.001, "burst": 1}}})
    asking = asyncio.create_task(tier.client().check(high()))
    (parked,) = await tier.parked()

    await cut(tier.redis)
    await until(lambda: was_turned_away(tier))  # asked again, it was one too many
    with pytest.raises(QuotaExceeded):  # which it is for what nobody has asked before
        await tier.client().check(high("rm -rf /"))
    await tier.approver().approve(parked.id)

    assert (await asking).allowed


async def test_who_has_no_room_reads_no_further_and_misses_nothing(tier: Tier) -> None:
    room, seen = asyncio.Event(), []

    def take(entry: str, _fields: object) -> None:
        seen.append(entry)
        room.clear()

    room.set()
    tail = Tail(tier.url, "many", take, room=room)
    await tail.start()
    await until(lambda: reads(tier.redis))
    added = await add(tier.redis, 3 * PAGE)
    await until(lambda: len(seen) >= PAGE)
    added += await add(tier.redis, 1)
    await until(lambda: reads_nothing(tier.redis))
    assert len(seen) == PAGE

    for pages in (2, 3):
        room.set()
        await until(lambda pages=pages: len(seen) == pages * PAGE)
    room.set()
    await until(lambda: len(seen) > 3 * PAGE)
    await tail.close()
    assert seen == added


async def add(redis: Redis, count: int) -> list[str]:
    together = redis.pipeline(transaction=True)
    for _ in range(count):
        together.xadd("many", {"a": "b"})
    return [entry.decode() for entry in await together.execute()]


async def cut(redis: Redis) -> None:
    """Break the connections of all who wait for replies."""
    for connection in await redis.client_list():
        if connection["cmd"] == "xread":
            await redis.client_kill_filter(_id=connection["id"])


async def was_turned_away(tier: Tier) -> bool:
    return "turned_away" in [line["event"] for line in await tier.audit()]


async def reads(redis: Redis) -> bool:
    return any("b" in c["flags"] and c["cmd"] == "xread" for c in await redis.client_list())


async def reads_nothing(redis: Redis) -> bool:
    return not await reads(redis)
