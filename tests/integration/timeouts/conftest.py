"""An action whose time is over."""

from __future__ import annotations

import pytest

from desk import Desk
from lateness import Late


@pytest.fixture
async def late(desk: Desk, any_redis_url: str):
    made = Late(desk, any_redis_url)
    yield made
    await made.close()
