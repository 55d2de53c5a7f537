"""Scrape: what one look of Prometheus, or of an orchestrator, is told. Bounded in time.

Where Redis does not answer, it says so, and what this console has in memory.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from guardtier.store.connection import RedisError
from guardtier_workers.clock import now_ms
from guardtier_workers.console.console import Console
from guardtier_workers.console.ops.gauges import Snapshot, exposition

log = logging.getLogger(__name__)

REDIS_SECONDS: Final = 3.0  #: for everything that one look reads


async def metrics(console: Console) -> bytes:
    """The text that Prometheus reads. It names fleets, pools, workers and child analyzers, nothing else."""
    kept: dict[str, Any] = {
        "board_live": console.board.is_live,
        "board_cut": console.board.is_cut,
        "waiting": await console.ops.waiting(),
        "turned_away": {kind.value: count for kind, count in console.door.refused.counts.items()},
    }
    try:
        async with asyncio.timeout(REDIS_SECONDS):
            snapshot = Snapshot(redis=True, **kept, **await _read(console))
    except (RedisError, OSError) as error:  # a time limit is one too
        log.warning("Redis does not answer the metrics: %r", error)
        snapshot = Snapshot(redis=False, now_ms=now_ms(), **kept)
    return exposition(snapshot, console.ops.tally.registry)


async def _read(console: Console) -> dict[str, Any]:
    readings = console.ops.readings
    return {
        "now_ms": await readings.now_ms(),
        "workers": [one.beat for one in await readings.workers()],
        "queues": await readings.all_queues(),
        "dead": await readings.dead.count(),
        "fleets": len(await readings.fleets()),
        "steward": await readings.steward(),
        "pools": await readings.pools(),
        "exports": await readings.exports(),
    }


async def readiness(console: Console) -> dict[str, Any]:
    """Whether it can show and take answers: Redis answers, and what is parked has been read."""
    try:
        async with asyncio.timeout(REDIS_SECONDS):
            answers = bool(await console.redis.ping())
    except (RedisError, OSError):
        answers = False
    loaded = console.board.loaded.is_set() and console.ops.started.is_set()
    return {"ok": answers and loaded, "kind": "console", "redis": answers, "board": loaded}
