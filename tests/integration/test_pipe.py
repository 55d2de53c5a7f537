"""The pipe: nobody who sends by it waits for ever, whatever becomes of what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from guardtier.errors import TierUnavailable
from guardtier.store.keys import Keys
from guardtier.store.pipe import CommandPipe

KEYS = Keys(0)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as opened:
        yield opened


@pytest.mark.parametrize("insist", [True, False])
async def test_a_script_that_may_not_be_loaded_is_an_error(
    redis: Redis, redis_url: str, insist: bool
) -> None:
    await redis.script_flush()
    await redis.acl_setuser(
        "loads-not", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-script"]
    )
    async with Redis.from_url(redis_url, username="loads-not", password="any") as limited:
        pipe = CommandPipe(limited, insist=insist)

        with pytest.raises(NoPermissionError):
            await asyncio.wait_for(pipe.script("clock", [KEYS.parked], []), 90)

        assert await pipe.execute("PING") == b"PONG"
        await pipe.close()
    await redis.acl_deluser("loads-not")


async def test_whatever_ends_the_sending_ends_the_waiting(redis: Redis) -> None:
    pipe = CommandPipe(redis, insist=True)
    await pipe.execute("PING")
    under_way = pipe.post("XREAD", "BLOCK", 60_000, "STREAMS", "nothing", "0")
    await asyncio.sleep(0)
    behind = pipe.post("PING")
    sending = pipe._flusher
    assert sending is not None

    sending.cancel()

    for call in (under_way, behind):
        with pytest.raises(TierUnavailable):
            await asyncio.wait_for(call, 90)
    assert await pipe.execute("PING") == b"PONG"
    await pipe.close()
