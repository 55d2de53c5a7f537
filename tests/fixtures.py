"""A real redis-server that the tests start themselves, and tiers on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from desk import Desk, desk_at
from guardtier_workers.embedded import EmbeddedRedis, redis_servers
from processes import Processes
from tier import StartTier, Tier


@pytest.fixture(scope="session")
def shared_server() -> Iterator[EmbeddedRedis]:
    """One server for all tests that don't harm it."""
    with EmbeddedRedis(appendfsync="no") as server:
        yield server


@pytest.fixture
async def redis_url(shared_server: EmbeddedRedis) -> str:
    """The shared server, empty."""
    return await emptied(shared_server)


@pytest.fixture(scope="session", params=redis_servers() or [None], ids=lambda path: "server")
def any_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedRedis]:
    """Each server that this machine has; where it has none, the error that says so."""
    with EmbeddedRedis(appendfsync="no", server=request.param) as server:
        yield server


@pytest.fixture
async def any_redis_url(any_server: EmbeddedRedis) -> str:
    return await emptied(any_server)


@pytest.fixture
async def desk(any_redis_url: str) -> AsyncIterator[Desk]:
    """A ledger to be worked by hand, on each server."""
    async with desk_at(any_redis_url) as desk:
        yield desk


@pytest.fixture
def own_server() -> Iterator[EmbeddedRedis]:
    """A server of this test's own, to kill.

    ``always``, as where actions matter: with ``everysec`` Redis puts off writing for up to 2 s while an
    fsync runs, and answers before, so that under load even a killed process loses what it has acknowledged.
    """
    with EmbeddedRedis(appendfsync="always") as server:
        yield server


@pytest.fixture
async def start_tier(redis_url: str, tmp_path: Path) -> AsyncIterator[StartTier]:
    """Starts a tier with the given settings, one analyzer and one policy worker unless told."""
    async with tiers(redis_url, tmp_path) as start:
        yield start


@pytest.fixture
async def tier(start_tier: StartTier) -> Tier:
    """A tier with one analyzer and one policy worker, and the fleet ``web``."""
    return await start_tier()


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts workers as processes of their own; those that still run are killed at the end."""
    started = Processes()
    yield started
    started.end()


@asynccontextmanager
async def tiers(own_url: str, folder: Path) -> AsyncIterator[StartTier]:
    """What :func:`start_tier` gives; the tiers end with the block."""
    async with AsyncExitStack() as started:

        async def start(
            *, analyzers: int = 1, policies: int = 1, url: str = own_url, **settings: Any
        ) -> Tier:
            tier = await started.enter_async_context(Tier(url, folder, **settings))
            for _ in range(analyzers):
                await tier.analyzer()
            for _ in range(policies):
                await tier.policy()
            return tier

        yield start


async def emptied(server: EmbeddedRedis) -> str:
    async with Redis.from_url(server.url) as redis:
        await redis.config_set("maxmemory", 0)
        await redis.flushall()
    return server.url
