"""A house with channels: a tier whose notices go to servers of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from desk import Desk
from guardtier_workers.notices import jobs
from guardtier_workers.notices.jobs import Notifier
from guardtier_workers.notices.queue import NoticeQueue
from llmserver import Reply, Server, serving
from noticed import House
from smtpserver import SmtpServer, smtp_serving
from tier import StartTier


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        made.says(Reply())
        yield made


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_serving() as made:
        yield made


@pytest.fixture(autouse=True)
def _tries_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)


@pytest.fixture
async def house(start_tier: StartTier, redis_url: str) -> AsyncIterator[Any]:
    """Makes the house for the channels that a test wants."""
    async with AsyncExitStack() as parts:

        async def build(**channels: Any) -> House:
            settings = {"channel": channels, "console_url": "https://guard.example"}
            tier = await start_tier(analyzers=0, policies=0, **settings)
            redis = await parts.enter_async_context(Redis.from_url(redis_url))
            desk = Desk(redis)
            await desk.open()
            parts.push_async_callback(desk.close)
            notifier, queue = Notifier(tier.settings), NoticeQueue(tier.settings)
            parts.push_async_callback(notifier.close)
            parts.push_async_callback(queue.close)
            return House(tier, desk, notifier, queue)

        yield build
