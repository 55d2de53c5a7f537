"""``make soak``: a tier at a steady rate for minutes. Memory, descriptors and tasks must be flat.

``python -m chaos.soak --minutes 60`` is the hour. It exits with 1 where a figure grows, or an action did
not end as it had to. What Redis keeps is kept for seconds here, so that its memory can be flat as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import httpx
import psutil
from redis.asyncio import Redis

from chaos.flatness import Flatness, flatness
from chaos.steady import BRIEF, FLEET, Steady
from guardtier.store.keys import Keys
from guardtier_workers import approvers
from guardtier_workers.embedded import EmbeddedRedis
from ports import free_port
from processes import Processes
from waiting import until

SAMPLE_SECONDS = 2.0
START_SECONDS = 120.0
KINDS = ("analyzer", "analyzer", "policy", "steward", "console")
MIB = 2**20
#: What counts as flat although it grows: of each figure, in its unit.
LEAST = {"MiB": 1.5, "fds": 3.0, "threads": 2.0, "tasks": 8.0, "keys": 50.0}
#: All that is kept is kept briefly, so that it reaches its age before the warm-up ends.
ENV = {
    "GUARDTIER_FLEETS": json.dumps({FLEET: {}, BRIEF: {"park_seconds": 2}}),
    "GUARDTIER_RETAIN_SECONDS": "60",
    "GUARDTIER_AUDIT_SECONDS": "20",
    "GUARDTIER_HISTORY_SECONDS": "20",
    "GUARDTIER_INHERIT_SECONDS": "10",
    "GUARDTIER_REPLY_SECONDS": "60",
}
#: So does what a rejection blocks, and the job of a deadline.
POLICY = """version = 1
[[rule]]
name = "brief"
outcome = "park"
agent = ["approve", "reject", "edit"]
terms = { time_limit = "2m", retry = "20s" }
"""


@dataclass
class Watched:
    """A process, and where it answers /healthz."""

    name: str
    process: psutil.Process
    health: str | None = None


@dataclass
class Figures:
    """Every figure by its name and unit, sampled from the beginning."""

    began: float = field(default_factory=monotonic)
    by_name: dict[tuple[str, str], tuple[array[float], array[float]]] = field(default_factory=dict)

    def add(self, name: str, unit: str, value: float) -> None:
        times, values = self.by_name.setdefault((name, unit), (array("d"), array("d")))
        times.append(monotonic() - self.began)
        values.append(value)

    def judged(self) -> Iterator[tuple[str, str, Flatness]]:
        for (name, unit), samples in self.by_name.items():
            yield name, unit, flatness(list(zip(*samples, strict=True)), least=LEAST[unit])


def main() -> int:
    options = _options()
    with TemporaryDirectory(prefix="guardtier-soak-") as folder, EmbeddedRedis() as server:
        return asyncio.run(_soak(server, Path(folder), options))


async def _soak(server: EmbeddedRedis, folder: Path, options: argparse.Namespace) -> int:
    tokens = folder / "approvers.toml"
    token = approvers.add(tokens, "alice")
    policy = folder / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    own = {"GUARDTIER_APPROVERS_FILE": str(tokens), "GUARDTIER_POLICY_FILE": str(policy)}
    figures = Figures()
    async with (
        _workers(server.url, own) as watched,
        Redis.from_url(server.url) as redis,
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
        Steady(server.url, "alice", token, rate=options.rate) as load,
    ):
        gc.freeze()  # as the workers do
        ends = monotonic() + options.minutes * 60
        said = monotonic()
        while monotonic() < ends:
            load.check()
            await asyncio.sleep(SAMPLE_SECONDS)
            await _sample(figures, watched, redis, http)
            await _look(http, watched[-1], token)
            if monotonic() - said >= 60:
                said = monotonic()
                _note(f"{(ends - said) / 60:.0f} min left; {_progress(load, figures)}")
        in_work, slowest = load.in_work, load.slowest
    rows = list(figures.judged())
    _tell(rows)
    done = sum(load.done.values())
    print(f"\n{done:,} requests of {len(load.done)} kinds in {options.minutes:g} min")
    print(f"slowest that nobody had to answer: {slowest * 1000:.0f} ms; in work at the end: {in_work}")
    for error, count in load.errors.most_common(10):
        print(f"WRONG  {count} × {error}")
    grown = [f"{name} {unit}" for name, unit, found in rows if not found.is_flat]
    print(f"not flat: {', '.join(grown)}" if grown else "flat")
    return 1 if grown or load.errors else 0


@asynccontextmanager
async def _workers(url: str, own: dict[str, str]) -> AsyncIterator[list[Watched]]:
    """The workers of a tier as processes, and this one, which is all its agents."""
    with ExitStack() as parts:
        processes = Processes()
        parts.callback(processes.end)
        watched = [Watched("agents", psutil.Process())]
        for number, kind in enumerate(KINDS):
            port = free_port()
            console = {"GUARDTIER_CONSOLE__PORT": str(port)} if kind == "console" else {}
            options = () if kind == "console" else ("--health-port", str(port))
            env = ENV | own | console
            process = processes.worker(kind, url, "--log-level", "warning", *options, **env)
            watched.append(Watched(f"{kind} {number + 1}", process, f"http://127.0.0.1:{port}"))
        async with Redis.from_url(url) as redis, httpx.AsyncClient(trust_env=False) as http:
            for one in watched[1:]:
                await until(lambda one=one: _is_well(http, one), START_SECONDS)
            await until(lambda: redis.sismember(Keys(0).fleets, FLEET))
        yield watched


async def _is_well(http: httpx.AsyncClient, one: Watched) -> bool:
    if not one.process.is_running():
        raise RuntimeError(f"{one.name} has ended: its error is above")
    try:
        return (await http.get(f"{one.health}/healthz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def _sample(figures: Figures, watched: list[Watched], redis: Redis, http: httpx.AsyncClient) -> None:
    gc.collect()  # of our own garbage in cycles, up to a quarter of the heap may wait for the collector
    for one in watched:
        with one.process.oneshot():
            figures.add(one.name, "MiB", one.process.memory_info().rss / MIB)
            figures.add(one.name, "fds", one.process.num_fds())
            figures.add(one.name, "threads", one.process.num_threads())
        if one.health and not one.name.startswith("console"):
            tasks = (await http.get(f"{one.health}/healthz")).json().get("tasks")
            if tasks is not None:
                figures.add(one.name, "tasks", tasks)
    figures.add("agents", "tasks", len(asyncio.all_tasks()))
    figures.add("redis", "MiB", (await redis.info("memory"))["used_memory"] / MIB)
    figures.add("redis", "keys", await redis.dbsize())


async def _look(http: httpx.AsyncClient, console: Watched, token: str) -> None:
    """What somebody's page asks for."""
    answer = await http.get(f"{console.health}/api/v1/actions", auth=("alice", token))
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"the console answered {answer.status_code}: {answer.text[:200]}")


def _progress(load: Steady, figures: Figures) -> str:
    now = {
        name: f"{values[-1]:.0f}" for (name, unit), (_, values) in figures.by_name.items() if unit == "MiB"
    }
    return f"{sum(load.done.values()):,} done, {sum(load.errors.values())} wrong; MiB {now}"


def _tell(rows: list[tuple[str, str, Flatness]]) -> None:
    print(f"\n{'':16}{'':8}{'first':>10}{'last':>10}{'peak':>10}{'grows':>10}{'may':>8}")
    for name, unit, found in rows:
        shown = (
            f"{found.first:10.1f}{found.last:10.1f}{found.peak:10.1f}{found.grows:10.2f}{found.may:8.1f}"
        )
        print(f"{name:16}{unit:8}{shown}  {'flat' if found.is_flat else 'GROWS'}")


def _note(text: str) -> None:
    print(f"soak: {text}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
