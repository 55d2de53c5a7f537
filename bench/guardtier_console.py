"""The ops console with many actions parked: its first page, how soon a new action is on open pages, and
what fifty open pages cost while ten actions a second arrive.

The console, the tier's workers and this program, which plays the agents and every page, are processes of
their own. A page is a person with a token of their own and their stream of events. What is measured begins
when the agent sends its action, so the tier's own time is in it, and ends when the page has the row.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any
from urllib.request import Request, urlopen

import httpx
import uvloop

from bench import idle
from bench.guardtier_parked import KEYS, action, park, rated
from bench.measure import cpu_seconds, percentile, rss_mib
from bench.rivals.harness import end
from guardtier import ActionEvent, GuardClient
from guardtier.store.connection import connect
from guardtier.store.ledger import Ledger
from guardtier.store.pipe import CommandPipe
from guardtier_workers import approvers

FLEET = "default"
CHUNK = 500
START_SECONDS = 60.0
REQUESTS = 100  #: for each page that is asked for
ALONE = 40  #: actions, one at a time


class Page:
    """One open page, as its browser reads it."""

    def __init__(self, port: int, name: str, token: str) -> None:
        self._port = port
        self._credentials = b64encode(f"{name}:{token}".encode()).decode()
        self.seen: dict[str, float] = {}  #: when it had the row of an action
        self.is_open = asyncio.Event()

    async def read(self) -> None:
        """Until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        writer.write(
            f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Basic {self._credentials}\r\n\r\n".encode()
        )
        try:
            status = await reader.readline()
            if b" 200 " not in status:
                raise RuntimeError(f"the console let no page in: {status.decode()}")
            while line := await reader.readline():
                if line.startswith(b"event: hello"):
                    self.is_open.set()
                elif line.startswith(b'data: {"rows":['):
                    for row in json.loads(line[6:])["rows"]:
                        self.seen.setdefault(row["id"], monotonic())
            raise RuntimeError("the console has ended the stream of a page")
        finally:
            writer.close()


async def park_many(url: str, number: int) -> None:
    """Through the scripts of the tier, without the workers' time."""
    redis = connect(url)
    pipe = CommandPipe(redis, insist=True)
    ledger, assessment = Ledger(pipe, KEYS), rated(action(0))
    for start in range(0, number, CHUNK):
        await asyncio.gather(*(park(ledger, n, assessment) for n in range(start, start + CHUNK)))
        await redis.xtrim(KEYS.assessed, maxlen=0)
    await pipe.close()
    await redis.aclose()


@contextmanager
def console(url: str, parked: int, viewer: tuple[str, str]) -> Iterator[tuple[int, int, float]]:
    """A console as a process: its port, its pid, and how long it took until it had all that is parked."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {"GUARDTIER_CONSOLE__PORT": str(port)}
    command = [sys.executable, "-m", "guardtier_workers.worker", "console", "--redis-url", url]
    begin = monotonic()
    process = subprocess.Popen([*command, "--log-level", "warning"], env=env)
    try:
        while not _has(port, parked, viewer):
            if monotonic() - begin > START_SECONDS or process.poll() is not None:
                raise SystemExit("bench: the console did not come up; its errors are above")
            time.sleep(0.02)
        yield port, process.pid, monotonic() - begin
    finally:
        process.terminate()
        end(process)


def _has(port: int, parked: int, viewer: tuple[str, str]) -> bool:
    credentials = b64encode(":".join(viewer).encode()).decode()
    asked = Request(
        f"http://127.0.0.1:{port}/api/v1/actions?limit=1",
        headers={"Authorization": f"Basic {credentials}"},
    )
    try:
        with urlopen(asked, timeout=5) as answer:
            found = json.load(answer)
    except OSError:
        return False
    return bool(found["live"] and found["total"] >= parked)


async def first_pages(port: int, pid: int, viewer: tuple[str, str]) -> dict[str, float]:
    """Milliseconds from the request to the whole page, and the console's CPU time of one."""
    found: dict[str, float] = {}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", auth=viewer, trust_env=False, timeout=30
    ) as client:
        for name, path in (("page", "/"), ("list", "/api/v1/actions"), ("search", "/rows?text=sites-17")):
            took, before = [], cpu_seconds(pid)
            for _ in range(REQUESTS):
                begin = perf_counter()
                answer = await client.get(path)
                took.append(perf_counter() - begin)
                answer.raise_for_status()
            found |= {
                f"{name}_p50_ms": 1000 * percentile(took, 0.5),
                f"{name}_p99_ms": 1000 * percentile(took, 0.99),
                f"{name}_cpu_ms": 1000 * (cpu_seconds(pid) - before) / REQUESTS,
                f"{name}_kb": len(answer.content) / 1000,
            }
    return found


async def arrivals(
    url: str, pages: list[Page], *, each: float, number: int, prefix: str
) -> dict[str, float]:
    """How soon actions that come every so many seconds are on the pages, on each of them."""
    sent: dict[str, float] = {}
    async with GuardClient(url, fleet=FLEET) as guard:
        asking = []
        begin = monotonic()
        for n in range(number):
            await asyncio.sleep(max(0.0, begin + n * each - monotonic()))
            event = ActionEvent(
                id=f"{prefix}{n}.0",
                fleet=FLEET,
                agent="agent",
                tool_name="terminal",
                arguments={"command": f"rm -rf /etc/{prefix}-{n}"},
            )
            sent[event.id] = monotonic()
            asking.append(asyncio.create_task(_told(guard, event)))
        told = [at - sent[name] for name, at in await asyncio.gather(*asking)]
        until = monotonic() + 10
        while any(len(sent.keys() - page.seen.keys()) for page in pages):
            if monotonic() > until:
                raise RuntimeError("a parked action is missing on a page after 10 s")
            await asyncio.sleep(0.01)
    every = [page.seen[name] - at for page in pages for name, at in sent.items()]
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: 1000 * percentile(every, share) for name, share in shares.items()} | {
        f"agent_{name}": 1000 * percentile(told, share) for name, share in shares.items()
    }


async def _told(guard: GuardClient, event: ActionEvent) -> tuple[str, float]:
    """When the agent is told that its action waits: the tier's own part of it."""
    await guard.submit(event)
    return event.id, monotonic()


async def measure(
    url: str, port: int, pid: int, viewers: list[tuple[str, str]], seconds: float
) -> dict[str, Any]:
    found: dict[str, Any] = {"first": await first_pages(port, pid, viewers[0])}
    pages = [Page(port, *viewer) for viewer in viewers]
    async with asyncio.TaskGroup() as reading:
        tasks = [reading.create_task(pages[0].read())]
        await pages[0].is_open.wait()
        found["alone"] = await arrivals(url, pages[:1], each=0.15, number=ALONE, prefix="alone")
        for page in pages[1:]:  # one after the other: the console looks at a few credentials at a time
            tasks.append(reading.create_task(page.read()))
            await page.is_open.wait()
        await asyncio.sleep(3)
        before, since = cpu_seconds(pid), monotonic()
        await asyncio.sleep(seconds)
        found["idle_percent"] = 100 * (cpu_seconds(pid) - before) / (monotonic() - since)
        before, since = cpu_seconds(pid), monotonic()
        found["many"] = await arrivals(url, pages, each=0.1, number=int(10 * seconds), prefix="many")
        found["busy_percent"] = 100 * (cpu_seconds(pid) - before) / (monotonic() - since)
        found["rss_mib"] = rss_mib(pid)
        for task in tasks:
            task.cancel()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    url = options.redis_url
    with tempfile.TemporaryDirectory() as folder, ExitStack() as parts:
        file = Path(folder) / "approvers.toml"
        names = [f"person-{n}" for n in range(options.pages)]
        viewers = [(name, approvers.add(file, name)) for name in names]
        settings = {"policy": '{"kind": "always_confirm"}', "approvers_file": str(file)}
        parts.enter_context(idle.workers(url, "analyzer", "policy", **settings))
        uvloop.run(park_many(url, options.actions))
        port, pid, loading = parts.enter_context(console(url, options.actions, viewers[0]))
        found = uvloop.run(measure(url, port, pid, viewers, options.seconds))
    print(json.dumps({"parked": options.actions, "pages": options.pages, "loading_s": loading, **found}))


if __name__ == "__main__":
    main()
