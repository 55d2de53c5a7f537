"""What is closed ends, also while Redis hangs and redis-py makes another error of a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from guardtier import GuardClient
from guardtier.errors import TierUnavailable
from guardtier.settings import Settings
from guardtier.store.connection import connect
from guardtier.store.pipe import CommandPipe
from guardtier.store.replication import Replication
from guardtier_workers.ask import Pools
from tier import low
from waiting import until


class Hangs:
    """Takes connections and answers nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            while await reader.read(65_536):
                self.asked += 1
        writer.close()


@pytest.fixture
async def hangs() -> AsyncIterator[Hangs]:
    hangs = Hangs()
    listener = await asyncio.start_server(hangs.serve, "127.0.0.1", 0)
    hangs.url = f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"
    yield hangs
    listener.close()


@pytest.fixture(autouse=True)
def _other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What redis-py was seen to do: taking a connection apart fails, and the cancellation is forgotten."""
    whole = AbstractConnection.disconnect

    async def disconnect(self: Any, *args: Any, **options: Any) -> None:
        await whole(self, *args, **options)
        task = asyncio.current_task()
        if task is not None and task.cancelling() == 1:
            task.uncancel()
            raise RedisConnectionError("broken")

    monkeypatch.setattr(AbstractConnection, "disconnect", disconnect)


async def test_a_client_that_waits_for_its_first_answer_is_closed(hangs: Hangs) -> None:
    client = GuardClient(hangs.url, fleet="web")
    asking = asyncio.create_task(client.check(low()))
    await until(lambda: hangs.asked)

    async with asyncio.timeout(90):
        await client.aclose()

    asking.cancel()
    await asyncio.wait({asking}, timeout=90)
    assert asking.done()


async def test_what_sends_is_closed(hangs: Hangs) -> None:
    pipe = CommandPipe(connect(hangs.url), insist=True)
    sent = pipe.post("PING")
    await until(lambda: hangs.asked)

    async with asyncio.timeout(90):
        await pipe.close()

    with pytest.raises(TierUnavailable):
        await sent


async def test_what_asks_pools_is_closed(hangs: Hangs) -> None:
    settings = Settings.load(redis_url=hangs.url, fleets={"web": {}}, arq_url=hangs.url)

    async with asyncio.timeout(90):
        async with Pools(settings, "w"):
            await until(lambda: hangs.asked)


async def test_what_asks_replicas_is_closed(hangs: Hangs) -> None:
    redis = connect(hangs.url)
    replication = Replication(redis, 1)
    asking = asyncio.create_task(replication.holds(0, "s", "1-0"))
    await until(lambda: hangs.asked)

    async with asyncio.timeout(90):
        await replication.close()

    asking.cancel()
    await asyncio.wait({asking}, timeout=90)
    await redis.aclose()
