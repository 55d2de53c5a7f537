"""Patience: asks again where the tier had no room, as late as it was told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import uniform
from typing import TypeVar

from guardtier.errors import TurnedAway

T = TypeVar("T")

LEAST_SECONDS = 0.01
SPREAD = 0.25  #: so much longer at random, or all that were refused together would come again together


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What ``ask`` returns once there is room. The caller bounds the time: it waits for ever."""
    while True:
        try:
            return await ask()
        except TurnedAway as error:
            await asyncio.sleep(pause_after(error))


def pause_after(error: TurnedAway) -> float:
    """Seconds until to ask again."""
    return max(LEAST_SECONDS, error.retry_after) * (1 + uniform(0, SPREAD))  # noqa: S311
