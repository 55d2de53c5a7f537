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
from waiting import until

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


async def is_blocked(redis: Redis) -> bool:
    """Whether somebody waits in a command that blocks."""
    clients = await redis.info("clients")
    return bool(clients["blocked_clients"])


async def test_whatever_ends_the_sending_ends_the_waiting(redis: Redis) -> None:
    pipe = CommandPipe(redis, insist=True)
    under_way = pipe.post("XREAD", "BLOCK", 60_000, "STREAMS", "nothing", "0")
    await until(lambda: is_blocked(redis))
    behind = pipe.post("PING")
    sending = pipe._flusher
    assert sending is not None

    sending.cancel()

    for call in (under_way, behind):
        with pytest.raises(TierUnavailable):
            await asyncio.wait_for(call, 90)
    assert await pipe.execute("PING") == b"PONG"
    await pipe.close()


async def test_replies_come_in_order_however_they_were_sent(redis: Redis) -> None:
    """Alone, many at the same moment, and while others are on their way."""
    pipe = CommandPipe(redis, insist=True)

    async def count(times: int) -> list[int]:
        return list(await asyncio.gather(*(pipe.execute("INCR", "n") for _ in range(times))))

    assert await count(1) == [1]  # by the task that opens the connection
    assert await count(1) == [2]
    assert await count(600) == list(range(3, 603))  # the first at once, the others behind it
    assert await count(3) == [603, 604, 605]
    first = pipe.post("INCR", "n")
    await asyncio.sleep(0)
    assert [*await count(2), await first] == [607, 608, 606]
    await pipe.close()


async def test_what_can_not_be_packed_is_an_error_and_keeps_nobody_else(redis: Redis) -> None:
    pipe = CommandPipe(redis, insist=True)
    await pipe.execute("PING")

    for _ in range(2):  # by itself
        with pytest.raises((TypeError, ValueError)):
            await asyncio.wait_for(pipe.execute("SET", "key", Unpackable()), 10)

    assert await asyncio.wait_for(pipe.execute("PING"), 10) == b"PONG"
    await pipe.close()


class Unpackable:
    """It is no text, and can't be made one."""

    def __str__(self) -> str:
        raise TypeError("no text")


async def test_a_script_that_was_forgotten_is_loaded_again(redis: Redis) -> None:
    pipe = CommandPipe(redis, insist=True)
    await pipe.script("clock", [KEYS.parked], [])
    await redis.script_flush()

    told = await asyncio.gather(*(pipe.script("clock", [KEYS.parked], []) for _ in range(3)))

    assert all(int(now) > 10**12 for now in told)
    await pipe.close()


async def test_who_closes_it_ends_the_waiting(redis: Redis) -> None:
    pipe = CommandPipe(redis, insist=True)
    await pipe.execute("PING")
    under_way = pipe.post("XREAD", "BLOCK", 60_000, "STREAMS", "nothing", "0")
    behind = pipe.post("PING")
    await until(lambda: is_blocked(redis))

    await asyncio.wait_for(pipe.close(), 10)

    for call in (under_way, behind):
        with pytest.raises(TierUnavailable):
            await asyncio.wait_for(call, 10)


async def test_what_was_on_its_way_when_the_connection_broke_goes_again(redis: Redis) -> None:
    pipe = CommandPipe(redis, insist=True)
    await pipe.execute("PING")
    taking = pipe.post("BLPOP", "list", 60)
    behind = pipe.post("PING")
    await until(lambda: is_blocked(redis))

    await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await redis.rpush("list", "it")

    assert await asyncio.wait_for(taking, 30) == [b"list", b"it"]
    assert await asyncio.wait_for(behind, 30) == b"PONG"
    assert pipe.trouble is None
    await pipe.close()
