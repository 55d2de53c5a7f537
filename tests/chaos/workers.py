"""Workers die, freeze, are replaced, and have a wrong clock, while agents ask."""

from __future__ import annotations

import asyncio
import logging
from asyncio import to_thread
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

from chaos.credentials import embedded
from chaos.load import FLEET
from chaos.people import AT_CONSOLE
from chaos.scenario import Outcome, Place, Scenario
from guardtier.store.keys import ANALYZERS, POLICIES, Keys
from ports import free_port
from waiting import until

log = logging.getLogger(__name__)

KILLS = 50
STALLS = 150
#: What the tier of the kills has: a second opinion in a pool, which can be killed as well.
POOLED = {
    "GUARDTIER_ANALYZERS": '["llm", "shell"]',
    "GUARDTIER_ANALYZER": '{"shell": {"placement": "pool:second"}}',
}
RUNNING = {"analyzer": 2, "policy": 2, "steward": 1, "pool second": 2, "console": 1}
CLOCK = Path(__file__).parent / "clock"
HOUR = 3600


async def nothing(folder: Path) -> Outcome:
    """No fault at all: what the load and the checker say of a tier that is well."""
    with embedded() as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                await load.done(actions=1000)
            return await place.outcome(load, silent=True)


async def killed(folder: Path) -> Outcome:
    """SIGKILL of a worker of any kind, at random, 50 times; another one takes its place."""
    random, killed = Random(7), Counter[str]()
    port = free_port()
    with embedded() as server:
        async with Place(server.url, folder, env=POOLED | {"GUARDTIER_CONSOLE__PORT": str(port)}) as place:
            alive = [(kind, await place.start(kind)) for kind, many in RUNNING.items() for _ in range(many)]
            async with place.load(rate=120, console=f"http://127.0.0.1:{port}") as load:
                for _ in range(KILLS):
                    await load.more(random.randrange(20, 120))
                    kind, process = alive.pop(random.randrange(len(alive)))
                    assert process.is_running()
                    log.info("kill %d: %s after %d actions", killed.total() + 1, kind, load.ended)
                    place.processes.kill(process)
                    alive.append((kind, place.begin(kind)))
                    killed[kind.partition(" ")[0]] += 1
            counts = ", ".join(f"{many} {kind}" for kind, many in sorted(killed.items()))
            carols = sum(c.who == AT_CONSOLE and c.over and not c.error for c in load.history)
            return await place.outcome(load, f"killed: {counts}; {carols} answers by the console")


async def frozen(folder: Path) -> Outcome:
    """SIGSTOP of each kind of worker until others have taken over what it held; then SIGCONT."""
    held = 0
    with embedded() as server:
        async with Place(server.url, folder) as place:
            workers = await place.workers(analyzers=2, policies=2, stewards=2)
            async with place.load(rate=0, agents=64) as load:
                for kind in ("analyzer", "policy", "steward", "analyzer", "policy"):
                    await load.more(200)
                    asleep = workers[kind][0]
                    place.processes.stop(asleep)
                    held += await _held_by(place, asleep)
                    await until(lambda asleep=asleep: _is_replaced(place, asleep), 60.0)
                    await load.more(200)
                    place.processes.cont(asleep)
                    await load.more(200)
                assert held, "nobody held anything when it was frozen: freeze later"
            return await place.outcome(load, f"5 zombies, who held {held} entries")


async def _held_by(place: Place, process: psutil.Popen) -> int:
    """How many entries it has been given and not acknowledged."""
    found = 0
    for stream, group in _streams():
        for info in await place.redis.xinfo_consumers(stream, group):
            if f"-{process.pid}-" in info["name"].decode():
                found += info["pending"]
    return found


async def _is_replaced(place: Place, process: psutil.Popen) -> bool:
    """Its heartbeat is over, and others have finished what it held."""
    pattern = Keys(0).alive("*", f"*-{process.pid}-*")
    beats = [key async for key in place.redis.scan_iter(match=pattern, count=1000)]
    return not beats and not await _held_by(place, process)


def _streams() -> list[tuple[str, str]]:
    keys = Keys(0)
    return [(keys.actions(FLEET), ANALYZERS), (keys.assessed, POLICIES), (keys.answers, POLICIES)]


async def stalled(folder: Path) -> Outcome:
    """Any worker, or redis-server, stands still for 100 to 900 ms, 150 times at random: no call fails."""
    random = Random(8)
    with embedded() as server:
        async with Place(server.url, folder) as place:
            workers = await place.workers(analyzers=2, policies=2)
            redis = psutil.Process((await place.redis.info("server"))["process_id"])
            any_of = [redis, *(process for running in workers.values() for process in running)]
            async with place.load(rate=120) as load:
                for _ in range(STALLS):
                    still = random.choice(any_of)
                    place.processes.stop(still)
                    try:
                        await asyncio.sleep(random.uniform(0.1, 0.9))
                    finally:
                        place.processes.cont(still)
                    await load.more(random.randrange(1, 20))
            assert not load.errors, load.errors[:3]
            return await place.outcome(load, f"{STALLS} stalls; no call failed", silent=True)


async def rolled(folder: Path) -> Outcome:
    """Every worker is replaced in turn, and redis-server is restarted, twice: no client sees an error."""
    with embedded() as server:
        async with Place(server.url, folder, partitions=2, env={"GUARDTIER_CONSOLE__PORT": "0"}) as place:
            workers = await place.workers()
            workers["console"] = [place.begin("console")]
            async with place.load() as load:
                for _ in range(2):
                    for kind, running in workers.items():
                        await load.more(50)
                        old = running.pop()
                        running.append(await place.start(kind))
                        old.terminate()
                        assert await to_thread(old.wait, 30) == 0, f"{kind} did not end in good order"
                    await load.more(200)
                    await to_thread(server.restart)
                await load.more(200)
            await to_thread(_stop_all, workers)
            assert not load.errors, load.errors[:3]
            return await place.outcome(load, "8 workers and 2 redis-server replaced", silent=True)


def _stop_all(workers: dict[str, list[psutil.Popen]]) -> None:
    for process in (process for running in workers.values() for process in running):
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            process.wait(30)


async def clocked(folder: Path) -> Outcome:
    """Of each two workers one has a clock that is an hour ahead, then one that is an hour behind."""
    with embedded() as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                for offset in (HOUR, -HOUR):
                    env = {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": str(offset)}
                    wrong = [await place.start(kind, **env) for kind in ("analyzer", "policy", "steward")]
                    await load.more(700)
                    for process in wrong:
                        place.processes.kill(process)
                refused = sum(call.error == "not_authorized" for call in load.history)
            stale = sum(call.error == "stale_verdict" for call in load.history)
            notes = f"{refused} answers refused for their time, and repeated; {stale} verdicts refused"
            return await place.outcome(load, notes, may_fail=frozenset({"stale_verdict"}))


SCENARIOS = (
    Scenario("none", nothing, 15),
    Scenario("worker-killed", killed, 100),
    Scenario("worker-frozen", frozen, 60),
    Scenario("stalls", stalled, 30),
    Scenario("rolling-restart", rolled, 60),
    Scenario("clock-off", clocked, 30),
)
