"""One worker process of the benchmark: settings from the environment, as any worker takes them."""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop

from guardtier.settings import Settings
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.policy import PolicyWorker

KINDS: dict[str, type[StreamWorker]] = {"analyzer": AnalyzerWorker, "policy": PolicyWorker}


async def work(kind: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await KINDS[kind](Settings.load()).run(stop)


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1]))
