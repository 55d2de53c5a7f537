"""A connection that is reset while nobody uses it, under uvloop: the next call finds Redis away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from redis.exceptions import ConnectionError  # noqa: A004 - redis' own

from chaos.proxy import Proxy
from guardtier import GuardClient
from guardtier.store.connection import AWAY, AnyRedis, connect, wire_to
from guardtier.store.keys import Keys
from guardtier.store.upkeep import Upkeep
from guardtier_workers.embedded import EmbeddedRedis
from tier import low
from waiting import until


def under_uvloop(test: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())


async def _cut(proxy: Proxy, wire: Any) -> None:
    """Reset everything, and return once uvloop has seen it."""
    transport = wire._connection._writer.transport
    proxy.cut()
    await until(transport.is_closing)


def test_a_wire_is_told_that_redis_is_away(shared_server: EmbeddedRedis) -> None:
    """It fails once, as by any other break, and the next round trip has a new connection."""

    async def test() -> None:
        async with Proxy(shared_server.url) as proxy, connect(proxy.url) as redis:
            wire = wire_to(redis, answer_seconds=60)
            await wire.round_trip([("PING",)])
            await _cut(proxy, wire)

            with pytest.raises(ConnectionError):
                await wire.round_trip([("PING",)])

            assert await wire.round_trip([("PING",)]) == [b"PONG"]
            await wire.close()

    under_uvloop(test)


async def has(redis: AnyRedis, requests: int) -> bool:
    """Whether so many came by the fleet's stream."""
    return await redis.xlen(Keys(0).actions("web")) == requests


def test_an_agent_does_not_notice(shared_server: EmbeddedRedis) -> None:
    """Its request is sent again, by another connection."""

    async def test() -> None:
        async with connect(shared_server.url) as redis:
            await redis.flushall()
            await Upkeep(redis, 1).prepare(["web"])
        async with Proxy(shared_server.url) as proxy, GuardClient(proxy.url, fleet="web") as guard:
            for requests in (1, 2):  # no worker answers
                asking = asyncio.create_task(guard.check(low()))
                async with connect(shared_server.url) as redis:
                    await until(lambda requests=requests: has(redis, requests))
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                if requests == 1:
                    await _cut(proxy, guard._pipe._wire)

    under_uvloop(test)


async def test_a_wire_that_is_closed_while_it_opens_leaves_no_connection(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        wire = wire_to(redis, answer_seconds=60)
        asking = asyncio.create_task(wire.round_trip([("CLIENT", "SETNAME", "held"), ("PING",)]))
        await asyncio.sleep(0)  # it opens

        await wire.close()
        assert (await asking)[-1] == b"PONG"

        await until(lambda: _is_alone(redis))


async def _is_alone(redis: AnyRedis) -> bool:
    return [client["name"] for client in await redis.client_list()].count("held") == 0


@pytest.mark.parametrize("factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_who_is_cancelled_in_a_call_ends(shared_server: EmbeddedRedis, factory: Any) -> None:
    """At whatever point of it: a loop that is told to end, and goes on, is waited for without end."""

    async def test() -> None:
        async with connect(shared_server.url) as redis:
            await redis.ping()
            for turns in range(200):
                loop = asyncio.create_task(_call_for_ever(redis))
                for _ in range(turns % 20):
                    await asyncio.sleep(0)

                loop.cancel()

                assert (await asyncio.wait([loop], timeout=90))[0], f"it goes on, after {turns} turns"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(test())


async def _call_for_ever(redis: AnyRedis) -> None:
    while True:
        with suppress(*AWAY):
            await redis.set("a", "b", px=1000)
