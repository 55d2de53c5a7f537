"""Ending: tasks that go on until somebody ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_SECONDS = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel them until they have ended: redis-py (of a cluster, or arq's) may lose a cancellation, or turn
    it into an error, which a loop that goes on after errors survives. What they end with is none of ours.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
