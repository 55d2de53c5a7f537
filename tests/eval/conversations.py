"""The evaluation in sequence: recorded work as conversations, rated with a real history in a real Redis.

``python tests/eval/conversations.py [--misses] [--rows N]``. The rows of one recorded run (their ids tell)
are one conversation each; ``--rows N`` cuts the file into conversations of N consecutive rows instead. Ends
with 1 where more than 0.15 % are parked.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections import Counter
from time import perf_counter_ns
from typing import Any

import orjson
from evaluate import data_files

from guardtier.action import ActionEvent
from guardtier.analyzers.registry import ensemble
from guardtier.settings import Settings
from guardtier_workers.embedded import EmbeddedRedis
from guardtier_workers.memory import Memory

MOST = 0.0015


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--misses", action="store_true", help="list what was parked")
    parser.add_argument("--rows", type=int, default=0, help="rows of one conversation; 0: by their ids")
    options = parser.parse_args()
    files = data_files("agent-work*")
    if not files:
        return 0
    with EmbeddedRedis(appendfsync="no") as server:
        rows = [orjson.loads(line) for line in files[0].read_bytes().splitlines()]
        return asyncio.run(_replay(server.url, files[0].stem, rows, options))


async def _replay(url: str, name: str, rows: list[Any], options: argparse.Namespace) -> int:
    settings = Settings.load(redis_url=url)
    rates = ensemble(settings.analyzers, time_limit=settings.analyzer_seconds)
    memory = Memory(settings, rates)
    parked, costs, names = [], [], Counter[str]()
    for number, row in enumerate(rows):
        action = _action(row, number, options.rows)
        start = perf_counter_ns()
        assessment = await rates.assess(action, memory.recall)
        costs.append((perf_counter_ns() - start) // 1000)
        names.update(found.id for found in assessment.findings if found.id.startswith("flow."))
        if settings.policy.should_confirm(assessment.risk):
            parked.append((row, assessment))
    await memory.close()
    share = len(parked) / len(rows)
    print(f"{name}: {len(rows)} rows, parked {len(parked)} ({share:.2%}); {dict(names)}")
    print(f"cost in µs: median {statistics.median(costs):.0f}, mean {statistics.mean(costs):.0f}")
    for row, assessment in parked if options.misses else ():
        print(f"- {row['id']}: {assessment.findings[0].id}: {assessment.findings[0].message}")
        print("    | " + str(row["arguments"])[:400])
    return 1 if share > MOST else 0


def _action(row: dict[str, Any], number: int, rows: int) -> ActionEvent:
    run = f"talk-{number // rows}" if rows else str(row["id"]).rpartition("-")[0]
    said = {"tool_name": row["tool_name"], "arguments": row["arguments"]}
    known = {"id": f"r{number}.0", "fleet": "default", "agent": run, "conversation": run[:128]}
    return ActionEvent.from_value(known | said)


if __name__ == "__main__":
    sys.exit(main())
