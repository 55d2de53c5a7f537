"""Redis lives and takes nothing: its disk or its memory is full, it loads, a script blocks it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path

from redis.exceptions import RedisError

from chaos.credentials import role_lines
from chaos.durability import up
from chaos.load import Load
from chaos.scenario import Outcome, Place, Scenario
from servers import Server
from waiting import until

REFUSED = 20  #: calls that are told so before it ends
BUSY_SECONDS = 3.0


def _server(folder: Path, appendfsync: str) -> Server:
    """One with the roles that keeps an append-only file, and nothing else."""
    return Server(
        folder / "redis", *role_lines(), "appendonly yes", f"appendfsync {appendfsync}", 'save ""'
    )


async def disk_full(folder: Path) -> Outcome:
    """The append-only file can't grow (everysec): agents are refused, and it goes on by itself after."""
    with _server(folder, "everysec") as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load(patience=5.0) as load:
                await load.more(400)
                server.limit_files(server.info("persistence")["aof_current_size"] + 1000)
                said = await _refused(load)
                server.limit_files(None)
                await load.more(400)
            return await place.outcome(load, said)


async def disk_full_always(folder: Path) -> Outcome:
    """The same with appendfsync always: Redis ends itself, and what it had acknowledged is there after."""
    with _server(folder, "always") as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                await load.more(400)
                server.limit_files(server.info("persistence")["aof_current_size"] + 1000)
                code = await asyncio.to_thread(server.wait_ended)
                await up(server)
                await load.more(400)
            return await place.outcome(load, f"redis-server ended with {code}")


async def out_of_memory(folder: Path) -> Outcome:
    """noeviction, and no memory left: agents are refused, nothing is half written, and it goes on after."""
    with _server(folder, "always") as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load(patience=5.0) as load:
                await load.more(400)
                server.ask("CONFIG", "SET", "maxmemory", server.info("memory")["used_memory"] // 2)
                said = await _refused(load)
                server.ask("CONFIG", "SET", "maxmemory", 0)
                await load.more(400)
            return await place.outcome(load, said)


async def slow_script(folder: Path) -> Outcome:
    """Somebody's script runs for seconds: everybody is told BUSY, waits and goes on."""
    lines = ("appendonly yes", "appendfsync always", 'save ""', "busy-reply-threshold 100")
    with Server(folder / "redis", *role_lines(), *lines) as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                await load.more(400)
                running = asyncio.create_task(asyncio.to_thread(_run_for_ever, server))
                await asyncio.sleep(BUSY_SECONDS)
                server.ask("SCRIPT", "KILL")
                await running
                await load.more(400)
            return await place.outcome(load)


async def loading(folder: Path) -> Outcome:
    """Redis loads for seconds: it takes connections, and answers LOADING to whatever is asked."""
    lines = ("appendonly yes", "appendfsync always", 'save ""', "key-load-delay 500")
    with Server(folder / "redis", *role_lines(), *lines) as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                await load.more(600)
                server.kill()
                await up(server)
                await load.more(400)
            return await place.outcome(load)


def _run_for_ever(server: Server) -> None:
    with suppress(RedisError):
        server.ask("EVAL", "while true do end", 0, seconds=60.0)


async def _refused(load: Load) -> str:
    """Wait until so many agents were told that Redis refuses; what they were told, and how often."""
    before = len(load.errors)
    await until(lambda: len(load.errors) >= before + REFUSED, 60.0)
    told = Counter(call.error for call in load.errors[before:])
    reasons = [call.detail for call in load.errors[before:] if "Redis refuses writes" in call.detail]
    assert reasons, f"nobody was told why: {told}"
    return f"{len(reasons)} of {told.total()} refused by {reasons[0].partition(': ')[2][:14]}"


SCENARIOS = (
    Scenario("disk-full-everysec", disk_full, 20),
    Scenario("disk-full-always", disk_full_always, 20),
    Scenario("out-of-memory", out_of_memory, 20),
    Scenario("slow-script", slow_script, 20),
    Scenario("loading", loading, 20),
)
