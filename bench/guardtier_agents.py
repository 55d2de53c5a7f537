"""The client process of the benchmark: N agents in a closed loop over one GuardClient."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

from guardtier import ActionEvent, GuardClient
from guardtier.settings import Settings


async def agent(
    guard: GuardClient, name: str, calls: list[dict[str, Any]], until: float, took: list[float]
) -> None:
    """One agent: an action, its verdict, the next action."""
    for turn in range(10**9):
        start = perf_counter()
        if start >= until:
            return
        call = calls[turn % len(calls)]
        action = ActionEvent(
            fleet=guard.fleet,
            agent=name,
            tool_name=call["tool_name"],
            arguments=call["arguments"],
            summary=call.get("summary", ""),
        )
        verdict = await guard.check(action, timeout=60)
        if not verdict.allowed:
            raise RuntimeError(f"the bench's actions are all released, not {verdict.outcome}")
        took.append(perf_counter() - start)


async def run(options: argparse.Namespace) -> dict[str, Any]:
    calls = [json.loads(line) for line in Path(options.actions).read_text().splitlines()]
    settings = Settings.load()
    took: list[float] = []
    async with GuardClient(settings.redis_url, fleet=options.fleet) as guard:
        await agent(guard, "warm-up", calls, perf_counter() + 0.5, [])
        print("ready", flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = perf_counter()
        await asyncio.gather(
            *(
                agent(
                    guard,
                    f"agent-{i}",
                    calls[i % len(calls) :] + calls,
                    start + options.seconds,
                    took,
                )
                for i in range(options.agents)
            )
        )
        seconds = perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    took.sort()
    return {
        "agents": options.agents,
        "decisions": len(took),
        "seconds": seconds,
        "p50_ms": 1000 * took[len(took) // 2],
        "p99_ms": 1000 * took[int(len(took) * 0.99)],
        "per_s": len(took) / seconds,
        "client_cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--fleet", default="default")
    parser.add_argument("--actions", required=True)
    print(json.dumps(uvloop.run(run(parser.parse_args()))), flush=True)
