"""What all contestants share: options, worker processes, agents in a closed loop, one line of JSON.

A contestant brings how its client asks and what its workers do; everything that is timed around it
is this file, so that no side is measured in another way. Runs in the rivals' own environments:
nothing of guardtier is imported here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from redis import Redis

from bench.commands import DEFAULT_ACTIONS, endless, load_actions
from bench.measure import Result, cpu_between, cpu_seconds, latency
from bench.tap import CommandTap

Options = argparse.Namespace
Action = dict[str, Any]
Ask = Callable[[Action], Awaitable[None]]  #: one action, until its verdict is here

FIRST_VERDICT_SECONDS = 30.0
END_SECONDS = 5.0


class BenchError(Exception):
    """A contestant that can't be measured; says what to do."""


@dataclass(frozen=True)
class Contestant:
    """One side of the comparison. A worker runs until SIGTERM."""

    name: str
    module: str
    client: Callable[[Options], AbstractAsyncContextManager[Ask]]
    workers: Mapping[str, Callable[[Options], Awaitable[None]]]


@dataclass
class Budget:
    """When agents stop: after so many decisions, or at a point in time."""

    decisions: int | None
    until: float
    taken: int = field(default=0)

    def take(self) -> bool:
        """Whether one more action may start."""
        if self.decisions is not None:
            self.taken += 1
            return self.taken <= self.decisions
        return time.perf_counter() < self.until


def main(contestant: Contestant, arguments: Sequence[str] | None = None) -> None:
    """The program of a contestant: the client, or with ``--role`` one of its workers."""
    options = parser(contestant).parse_args(arguments)
    if options.role != "client":
        uvloop.run(_until_cancelled(contestant.workers[options.role](options)))
        return
    own = arguments or sys.argv[1:]
    with empty_database(options.redis_url) as redis, worker_processes(contestant, own) as pids:
        result = uvloop.run(measure(contestant, options, {**pids, "redis": redis}))
    print(json.dumps(result), flush=True)


def parser(contestant: Contestant) -> argparse.ArgumentParser:
    """The options of every contestant."""
    options = argparse.ArgumentParser(prog=f"python -m {contestant.module}")
    options.add_argument("--redis-url", required=True, help="an empty database on a server to load")
    options.add_argument("--agents", type=int, default=1)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--decisions", type=int, help="stop after so many, instead of --seconds")
    options.add_argument("--warm-up", type=float, default=0.5, help="seconds before the clock runs")
    options.add_argument("--tap", type=float, default=0.0, help="seconds of counting commands after")
    options.add_argument("--spin-us", type=float, default=100.0, help="the length of an analysis")
    options.add_argument("--actions", type=Path, default=DEFAULT_ACTIONS, help="JSONL of tool calls")
    options.add_argument("--name", default=contestant.name, help="what to call it in the result")
    options.add_argument("--poll-delay", type=float, default=0.5, help="arq alone, in seconds")
    options.add_argument("--concurrency", type=int, help="jobs at a time in one worker")
    options.add_argument("--role", choices=["client", *contestant.workers], default="client")
    return options


async def measure(contestant: Contestant, options: Options, pids: Mapping[str, int]) -> Result:
    """Warm up, run the agents, count what it cost."""
    calls = load_actions(options.actions)
    async with contestant.client(options) as ask:
        await first_verdict(ask, calls[0])
        await closed_loop(ask, calls, options.agents, _seconds(options.warm_up))
        before = cpu_now(pids)
        start = time.perf_counter()
        budget = Budget(options.decisions, start + options.seconds)
        took = await closed_loop(ask, calls, options.agents, budget)
        seconds = time.perf_counter() - start
        cpu = cpu_between(before, cpu_now(pids))
        commands = await commands_per_decision(ask, calls, options) if options.tap else None
    return {
        "name": options.name,
        "agents": options.agents,
        **latency(took, seconds),
        "commands": commands,
        "cpu": cpu,
    }


async def first_verdict(ask: Ask, call: Action) -> None:
    """Wait until the workers are up. Raises BenchError where they do not come."""
    try:
        async with asyncio.timeout(FIRST_VERDICT_SECONDS):
            await ask(call)
    except TimeoutError as error:
        raise BenchError(
            f"no verdict within {FIRST_VERDICT_SECONDS:g} s; the workers' errors are above"
        ) from error


async def closed_loop(ask: Ask, calls: list[Action], agents: int, budget: Budget) -> list[float]:
    """Agents that each wait for a verdict before the next action; the seconds of each decision."""
    took: list[float] = []

    async def agent(number: int) -> None:
        for call in endless(calls, number):
            if not budget.take():
                return
            start = time.perf_counter()
            await ask(call)
            took.append(time.perf_counter() - start)

    await asyncio.gather(*(agent(number) for number in range(agents)))
    return took


async def commands_per_decision(ask: Ask, calls: list[Action], options: Options) -> float:
    """Counted in a sample of its own, since counting slows the server down."""
    with CommandTap(options.redis_url) as tap:
        decided = await closed_loop(ask, calls, options.agents, _seconds(options.tap))
    return round(tap.total / len(decided), 2)


def cpu_now(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far of the client, each worker, and the server."""
    return {name: cpu_seconds(pid) for name, pid in {"client": os.getpid(), **pids}.items()}


@contextmanager
def empty_database(url: str) -> Iterator[int]:
    """An empty database, emptied again at the end; gives the server's process id.

    Refuses one that holds keys, since they may be somebody's.
    """
    with Redis.from_url(url) as redis:
        if keys := redis.dbsize():
            raise BenchError(f"{url} holds {keys} keys; name an empty database")
        try:
            yield redis.info("server")["process_id"]
        finally:
            redis.flushdb()


@contextmanager
def worker_processes(contestant: Contestant, arguments: Sequence[str]) -> Iterator[dict[str, int]]:
    """Each worker in a process of its own, with the client's options; ended with the client."""
    started = {
        role: subprocess.Popen(
            [sys.executable, "-m", contestant.module, *arguments, "--role", role],
            stdout=subprocess.DEVNULL,
        )
        for role in contestant.workers
    }
    try:
        yield {role: process.pid for role, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was asked to end; kill it where it does not."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _until_cancelled(work: Awaitable[None]) -> None:
    try:
        await work
    except asyncio.CancelledError:
        return


def _seconds(seconds: float) -> Budget:
    return Budget(None, time.perf_counter() + seconds)
