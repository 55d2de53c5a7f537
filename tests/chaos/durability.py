"""redis-server is killed, or loses power, and starts again with what its append-only file holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos.credentials import role_lines
from chaos.lossy import UNKNOWN, told_of_what_is_gone
from chaos.scenario import Outcome, Place, Scenario
from powercut import PowerCut
from servers import Server
from waiting import until

START_SECONDS = 60.0
ROUNDS = 3


async def killed_always(folder: Path) -> Outcome:
    """redis-server is killed three times; appendfsync always."""
    return await _killed(folder, "always")


async def killed_everysec(folder: Path) -> Outcome:
    """The same with appendfsync everysec: it may answer before it writes."""
    return await _killed(folder, "everysec")


async def power_cut_always(folder: Path) -> Outcome:
    """The power fails three times; appendfsync always. Nothing that anybody was told is gone."""
    return await _power_cut(folder, "always")


async def power_cut_everysec(folder: Path) -> Outcome:
    """The same with appendfsync everysec: what is gone is said to be unknown, and nothing runs twice."""
    return await _power_cut(folder, "everysec")


async def up(server: Server) -> None:
    """Start it, and wait until it answers, while the load goes on."""
    server.start(wait=False)
    await until(lambda: asyncio.to_thread(server.answers), START_SECONDS)


async def _killed(folder: Path, fsync: str) -> Outcome:
    lossy = fsync != "always"
    with Server(
        folder / "redis", *role_lines(), "appendonly yes", f"appendfsync {fsync}", 'save ""'
    ) as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                for _ in range(ROUNDS):
                    await load.more(400)
                    server.kill()
                    await up(server)
                await load.more(400)
            outcome = await place.outcome(load, lossy=lossy, may_fail=UNKNOWN if lossy else frozenset())
            return await told_of_what_is_gone(place, load, outcome) if lossy else outcome


async def _power_cut(folder: Path, fsync: str) -> Outcome:
    lossy = fsync != "always"
    with PowerCut(
        folder / "redis", *role_lines(), "appendonly yes", f"appendfsync {fsync}", 'save ""'
    ) as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            lost = 0
            async with place.load() as load:
                for _ in range(ROUNDS):
                    await load.more(400)
                    lost += server.cut()
                    await up(server)
                await load.more(400)
            notes = f"{lost} bytes not synced"
            outcome = await place.outcome(
                load, notes, lossy=lossy, may_fail=UNKNOWN if lossy else frozenset()
            )
            return await told_of_what_is_gone(place, load, outcome)


SCENARIOS = (
    Scenario("redis-killed-always", killed_always, 20),
    Scenario("redis-killed-everysec", killed_everysec, 20),
    Scenario("power-cut-always", power_cut_always, 25),
    Scenario("power-cut-everysec", power_cut_everysec, 25),
)
