"""Processes: workers as processes of their own, to be stopped and killed like those of a real tier."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Timer
from typing import Any

import psutil
from redis.asyncio import Redis

from guardtier.store.keys import all_keys
from guardtier_workers.supervisor import die_with_parent
from waiting import until

END_SECONDS = 60.0


class Processes:
    """Starts processes that can't outlive the tests.

    What they say on stderr, pytest shows, or it is in the file ``log``.
    """

    def __init__(self, log: Path | None = None) -> None:
        self._started: list[psutil.Popen] = []
        self._log = log

    def start(self, argv: Sequence[str], **env: str) -> psutil.Popen:
        """Start a command; ``env`` is added to our own environment."""
        with self._log.open("ab") if self._log else nullcontext() as stderr:
            process = psutil.Popen(
                argv,
                env=os.environ | env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                preexec_fn=die_with_parent(),
            )
        self._started.append(process)
        return process

    def worker(self, kind: str, url: str, *options: str, **env: str) -> psutil.Popen:
        """Start an ``analyzer``, ``policy``, ``steward`` or ``pool NAME`` on this Redis."""
        argv = [sys.executable, "-m", "guardtier_workers.worker", *kind.split(), "--redis-url", url]
        return self.start([*argv, *options], **env)

    def kill(self, process: psutil.Popen) -> None:
        """End it in the middle of whatever it does (SIGKILL)."""
        with suppress(psutil.NoSuchProcess):
            process.kill()
        process.wait(END_SECONDS)

    def stop(self, process: psutil.Popen) -> None:
        """Freeze it (SIGSTOP), as a machine that swaps or a paused VM would."""
        process.suspend()

    def cont(self, process: psutil.Popen) -> None:
        """Let it go on (SIGCONT), not knowing that it was away."""
        process.resume()

    def end(self) -> None:
        """Kill what still runs, with its children."""
        for process in self._started:
            with suppress(psutil.NoSuchProcess):
                for child in process.children(recursive=True):
                    child.kill()
            self.kill(process)


@contextmanager
def limited_life(process: subprocess.Popen[Any], seconds: float = END_SECONDS) -> Iterator[None]:
    """Kill it if the block takes longer: who reads from its pipes comes to their end."""
    timer = Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def killed_at_end(process: subprocess.Popen[Any], seconds: float = END_SECONDS) -> Iterator[None]:
    """Also where the block fails: ``with Popen(…)`` would wait for its end for ever."""
    try:
        with limited_life(process, seconds):
            yield
    finally:
        process.kill()


async def until_alive(redis: Redis, process: psutil.Popen, *, partitions: int = 1) -> None:
    """Wait for a stream worker's first heartbeat in every partition."""
    for keys in all_keys(partitions):
        await until(lambda keys=keys: beats(redis, keys.alive("*", f"*-{process.pid}-*")), 90.0)
        assert process.is_running()


async def beats(redis: Redis, pattern: str) -> list[bytes]:
    """The heartbeats of this pattern."""
    return [key async for key in redis.scan_iter(match=pattern, count=1000)]
