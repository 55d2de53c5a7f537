"""What would grow for as long as something lasts: an outage, a flood, a policy that rejects everything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - redis' own

from desk import Desk
from guardtier import GuardClient, State
from guardtier.errors import InvalidAction, QuotaExceeded, TierUnavailable, UnknownAction
from guardtier.store.keys import Keys
from guardtier_workers.console.board.board import Board
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, high, low, submitted
from waiting import until

SLOW = 0.001
KEYS = Keys(0)


@pytest.fixture
async def guard(own_server: EmbeddedRedis) -> AsyncIterator[GuardClient]:
    async with GuardClient(own_server.url, fleet="web") as opened:
        yield opened


async def test_what_an_agent_gave_up_while_redis_was_away_is_not_sent_later(
    own_server: EmbeddedRedis, start_tier: StartTier, guard: GuardClient
) -> None:
    tier = await start_tier(url=own_server.url)
    await guard.check(low("before"))
    own_server.kill()
    await until(lambda: guard.trouble)
    for n in range(30):
        with pytest.raises(TierUnavailable):
            await guard.check(high(f"given up {n}"), timeout=0.02)
    await until(lambda: not guard._pipe._busy)  # nothing is left to be sent
    own_server.start()

    assert (await guard.check(low("after"), timeout=90)).allowed

    rated = [line["id"] for line in await tier.audit() if line["event"] == "assessed"]
    assert len(rated) <= 2
    assert await tier.redis.zcard(KEYS.parked) == 0


async def test_what_is_refused_draws_on_the_fleets_quota(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {"quota": {"rate": SLOW, "burst": 3}}})
    client = tier.client()
    for _ in range(3):
        with pytest.raises(UnknownAction):
            await client.poll("never.0")

    with pytest.raises(QuotaExceeded):
        await client.poll("never.0")

    events = [line["event"] for line in await tier.audit()]
    assert events == ["refused"] * 3 + ["turned_away"]


async def test_strays_draw_on_one_quota_together(start_tier: StartTier) -> None:
    tier = await start_tier(quota={"rate": SLOW, "burst": 2})
    for n in range(20):
        await tier.redis.xadd(KEYS.strays, submitted(low(str(n))) | {"fleet": f"nobody-{n}"})

    async def all_counted() -> bool:
        lines = await tier.audit()
        refused = sum(line["event"] == "refused" for line in lines)
        return refused == 2 and sum(int(line.get("count", 0)) for line in lines) == 18

    await until(all_counted)


async def test_copies_of_what_names_no_sender_come_to_an_end(desk: Desk) -> None:
    many = desk.redis.pipeline(transaction=False)
    for _ in range(10_000):
        many.xadd(desk.keys.dead, {"id": "x", "why": "y"})
    await many.execute()
    error = InvalidAction("client must be a name", field="client")
    stream = desk.keys.actions("web")

    delivery = await desk.given(stream, "analyzers", id="a.0", payload="x" * 100_000)
    await desk.ledger.refuse(delivery, error, reply=None, dead_letter="the sender can't be told")
    assert await desk.redis.xlen(desk.keys.dead) == 10_000

    await desk.redis.xtrim(desk.keys.dead, maxlen=10)
    delivery = await desk.given(stream, "analyzers", id="a.0", payload="x" * 100_000)
    await desk.ledger.refuse(delivery, error, reply=None, dead_letter="the sender can't be told")
    ((_, letter),) = await desk.redis.xrevrange(desk.keys.dead, count=1)
    assert len(letter[b"payload"]) == 4096


async def test_nobody_sends_redis_more_in_one_piece_than_an_action_may_have(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.xadd(KEYS.strays, {"payload": b"x" * (3 * 1024 * 1024)})
        with pytest.raises((ConnectionError, ResponseError)):
            await redis.xadd(KEYS.strays, {"payload": b"x" * (5 * 1024 * 1024)})
    async with Redis.from_url(redis_url) as redis:  # whoever sends more is disconnected
        assert await redis.xlen(KEYS.strays) == 1


async def test_a_board_forgets_what_was_rejected_and_never_parked(start_tier: StartTier) -> None:
    tier = await start_tier()
    board = Board(tier.url, tier.redis, 1)
    async with board.followed():
        await until(board.loaded.is_set)
        for n in range(100):
            await tier.redis.xadd(KEYS.audit, {"id": f"a{n}.0", "event": "rejected"})
        await tier.client().submit(high())
        await until(lambda: len(board._shelf) == 1)

        await until(lambda: not board._follower._ended_since)


async def test_an_action_of_an_agent_that_was_turned_away_may_be_asked_again(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {"quota": {"rate": SLOW, "burst": 1}}})
    client, action = tier.client(), low()
    await client.check(low("first"))
    with pytest.raises(QuotaExceeded):
        await client.check(action)
    await tier.redis.delete("gt:{q:web}:quota")

    assert (await client.submit(action)).state is State.RELEASED
