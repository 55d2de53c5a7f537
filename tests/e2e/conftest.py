"""A browser on a console beside a tier, all in one event loop.

The loop is the session's, so that a worker of pytest-xdist starts Chromium once; tiers, consoles and
the people at them (``people.py``) are new for each test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from consoles import Desk, StartConsole, console_beside
from e2e.browsers import NoBrowser, launched, program
from e2e.people import People
from fixtures import emptied, shared_server, tiers
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, Tier

__all__ = ["shared_server"]

HERE = f"{Path(__file__).parent}/"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder runs in the session's loop."""
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def _chromium() -> str:
    """Its path. A machine without one fails here: nothing is skipped."""
    try:
        return program()
    except NoBrowser as error:
        pytest.fail(str(error), pytrace=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(_chromium: str) -> AsyncIterator[Browser]:
    """Chromium, once for all tests of a worker."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def start_tier(shared_server: EmbeddedRedis, tmp_path: Path) -> AsyncIterator[StartTier]:
    """Starts a tier with the given settings on an empty Redis."""
    async with tiers(await emptied(shared_server), tmp_path) as start:
        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def tier(start_tier: StartTier) -> Tier:
    """A tier with one analyzer and one policy worker, and the fleet ``web``."""
    return await start_tier()


@pytest_asyncio.fixture(loop_scope="session")
async def start_console() -> AsyncIterator[StartConsole]:
    """Starts a console beside a tier, with the given settings of ``[console]``."""
    async with AsyncExitStack() as consoles:

        async def start(tier: Tier, **own: object) -> Desk:
            return await consoles.enter_async_context(console_beside(tier, **own))

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def console(tier: Tier, start_console: StartConsole) -> Desk:
    """A console beside :func:`tier`."""
    return await start_console(tier)


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser) -> AsyncIterator[People]:
    """Whoever sits before a browser. At the end, no page may have said that something went wrong."""
    async with People(browser) as people:
        yield people
    assert people.problems == []
