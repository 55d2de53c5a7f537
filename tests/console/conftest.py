"""A console beside a tier, both in the test's own event loop, spoken to over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from consoles import Desk, StartConsole, console_beside
from fixtures import own_server, redis_url, shared_server, start_tier, tier
from tier import Tier

__all__ = ["console", "own_server", "redis_url", "shared_server", "start_console", "start_tier", "tier"]


@pytest.fixture
async def start_console() -> AsyncIterator[StartConsole]:
    """Starts a console beside a tier, with the given settings of ``[console]``."""
    async with AsyncExitStack() as consoles:

        async def start(tier: Tier, **own: Any) -> Desk:
            return await consoles.enter_async_context(console_beside(tier, **own))

        yield start


@pytest.fixture
async def console(tier: Tier, start_console: StartConsole) -> Desk:
    """A console beside :func:`tier`."""
    return await start_console(tier)
