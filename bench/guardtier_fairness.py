"""A small fleet beside a big one: its latency alone, and while the big one sends 50 times as much.

Both send at a fixed rate, whether or not the answers come (an open loop), over one tier.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from time import perf_counter
from typing import Any

import uvloop

from bench.commands import load_actions
from bench.measure import percentile
from bench.rivals.harness import end
from guardtier import ActionEvent, GuardClient
from guardtier.settings import FleetSettings, Settings
from guardtier.store.connection import connect
from guardtier.store.upkeep import Upkeep

SMALL_PER_S, TIMES = 20.0, 50


async def send(
    guard: GuardClient, per_s: float, seconds: float, calls: list[dict[str, Any]]
) -> list[float]:
    """Send at a fixed rate; the seconds until each verdict, counted from when it was due."""
    took: list[float] = []
    tasks: set[asyncio.Task[None]] = set()
    start = perf_counter()

    async def one(due: float, call: dict[str, Any]) -> None:
        event = ActionEvent(
            fleet=guard.fleet,
            agent="agent",
            tool_name=call["tool_name"],
            arguments=call["arguments"],
        )
        await guard.check(event, timeout=60)
        took.append(perf_counter() - due)

    for number in range(int(per_s * seconds)):
        due = start + number / per_s
        await asyncio.sleep(max(0.0, due - perf_counter()))
        task = asyncio.create_task(one(due, calls[number % len(calls)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return took


async def run(options: argparse.Namespace) -> dict[str, Any]:
    calls = load_actions()
    fleets = {"small": FleetSettings(), "big": FleetSettings()}
    settings = Settings.load(redis_url=options.redis_url, fleets=fleets)
    redis = connect(settings.redis_url)
    await Upkeep(redis, 1).prepare(settings.fleets)
    await redis.aclose()
    async with GuardClient(settings.redis_url, fleet="small") as small:
        await send(small, SMALL_PER_S, 1.0, calls)
        alone = await send(small, SMALL_PER_S, options.seconds, calls)
        big = subprocess.Popen(
            [sys.executable, "-m", "bench.guardtier_fairness", *sys.argv[1:], "--role", "big"],
            stdout=subprocess.PIPE,
        )
        try:
            assert big.stdout is not None
            await asyncio.to_thread(big.stdout.readline)
            crowded = await send(small, SMALL_PER_S, options.seconds, calls)
        finally:
            big.terminate()
            end(big)
            big.stdout.close()  # type: ignore[union-attr]
    return {
        "alone_p99_ms": 1000 * percentile(alone, 0.99),
        "crowded_p99_ms": 1000 * percentile(crowded, 0.99),
        "alone_p50_ms": 1000 * percentile(alone, 0.5),
        "crowded_p50_ms": 1000 * percentile(crowded, 0.5),
    }


async def crowd(options: argparse.Namespace) -> None:
    """The big fleet, in a process of its own: it has machines of its own in life."""
    async with GuardClient(options.redis_url, fleet="big") as guard:
        await send(guard, SMALL_PER_S, 0.5, load_actions())
        print("ready", flush=True)
        await send(guard, SMALL_PER_S * TIMES, options.seconds * 3 + 5, load_actions())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--role", choices=["small", "big"], default="small")
    found = parser.parse_args()
    if found.role == "big":
        uvloop.run(crowd(found))
    else:
        print(json.dumps(uvloop.run(run(found))))
