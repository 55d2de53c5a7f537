"""Workers as they come, as processes: what they cost while nothing is asked of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from bench.measure import cpu_seconds, rss_mib
from bench.rivals.harness import end
from guardtier.store.keys import Keys

SETTLE_SECONDS = 3.0
START_SECONDS = 30.0


@contextmanager
def workers(url: str, *kinds: str, **settings: str) -> Iterator[dict[str, int]]:
    """Start workers and wait for their heartbeats; kind → pid. Ended with the block.

    ``settings`` are GUARDTIER_… variables without their prefix.
    """
    env = os.environ | {f"GUARDTIER_{name.upper()}": value for name, value in settings.items()}
    started = {
        kind: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "guardtier_workers.worker",
                kind,
                "--redis-url",
                url,
                "--log-level",
                "warning",
            ],
            env=env,
        )
        for kind in kinds
    }
    try:
        _await_beats(url, sum(kind != "steward" for kind in kinds))
        yield {kind: process.pid for kind, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            end(process)


def measure(url: str, *, seconds: float) -> dict[str, dict[str, float]]:
    """CPU in percent of a core, and memory in MiB, of each kind of worker."""
    with workers(url, "analyzer", "policy", "steward") as pids:
        time.sleep(SETTLE_SECONDS)
        before = {kind: cpu_seconds(pid) for kind, pid in pids.items()}
        time.sleep(seconds)
        return {
            kind: {
                "cpu_percent": round(100 * (cpu_seconds(pid) - before[kind]) / seconds, 2),
                "rss_mib": round(rss_mib(pid), 1),
            }
            for kind, pid in pids.items()
        }


def _await_beats(url: str, count: int) -> None:
    until = time.monotonic() + START_SECONDS
    with Redis.from_url(url) as redis:
        while len(list(redis.scan_iter(match=Keys(0).alive("*", "*")))) < count:
            if time.monotonic() > until:
                raise SystemExit("bench: the workers did not come up; their errors are above")
            time.sleep(0.05)
