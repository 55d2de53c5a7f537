"""The network between clients and Redis, or workers and Redis, breaks in every way that TCP allows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from chaos.credentials import embedded
from chaos.load import Load
from chaos.proxy import FINE, Proxy, Weather
from chaos.scenario import Outcome, Place, Scenario

log = logging.getLogger(__name__)

BETWEEN = 100  #: actions before each fault, and behind it
HELD_SECONDS = 3.0  #: how long it is cut, or nothing gets through one way
#: Above the 10 s after which a half-open connection is given up, as by default: else what waits there is
#: taken over again and again, which counts as so many deliveries, and is refused in the end.
PATIENT = {"GUARDTIER_CLAIM_SECONDS": "12"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which it breaks. ``make`` returns once the weather is fine again, or may be."""

    name: str
    make: Callable[[Proxy, Load], Awaitable[None]]


async def _cut(proxy: Proxy, _load: Load) -> None:
    """Every connection is reset, and none can be made for a while."""
    proxy.weather = Weather(refuse=True)
    proxy.cut()
    await asyncio.sleep(HELD_SECONDS)


async def _half_open(proxy: Proxy, load: Load) -> None:
    """Both ends believe in connections that are none any more; who connects anew gets through."""
    proxy.forget()
    await load.more(1)


async def _until_more(weather: Weather, proxy: Proxy, load: Load) -> None:
    proxy.weather = weather
    await load.more(BETWEEN)


async def _held(weather: Weather, proxy: Proxy, _load: Load) -> None:
    """Nothing gets through in one direction, and then all of it, late."""
    proxy.weather = weather
    await asyncio.sleep(HELD_SECONDS)


async def _reset_often(proxy: Proxy, load: Load) -> None:
    """Each connection is reset in the middle of a reply, again and again."""
    before = proxy.resets
    proxy.weather = Weather(reset_after=30_000)
    await load.more(BETWEEN)
    assert proxy.resets - before >= 3, "hardly any connection was reset"


FAULTS = (
    Fault("cut", _cut),
    Fault("delay", partial(_until_more, Weather(delay=0.1))),
    Fault("drip", partial(_until_more, Weather(drip=200))),
    Fault("requests held", partial(_held, Weather(hold_up=True))),
    Fault("replies held", partial(_held, Weather(hold_down=True))),
    Fault("reset", _reset_often),
    Fault("half-open", _half_open),
)


async def _storm(folder: Path, *, for_clients: bool) -> Outcome:
    stalls: list[str] = []
    with embedded() as server:
        async with Proxy(server.url) as proxy, Place(server.url, folder, env=PATIENT) as place:
            await place.workers(analyzers=2, policies=2, url=None if for_clients else proxy.url)
            async with place.load(rate=100, url=proxy.url if for_clients else None) as load:
                for fault in FAULTS:
                    await load.more(BETWEEN)
                    log.info("%s: %d actions so far", fault.name, load.ended)
                    began = monotonic()
                    await fault.make(proxy, load)
                    proxy.weather = FINE
                    await load.more(BETWEEN)
                    stall = load.history.longest_stall(began, monotonic())
                    stalls.append(f"{fault.name} {stall:.1f}")
            return await place.outcome(load, f"{', '.join(stalls)} s")


async def for_clients(folder: Path) -> Outcome:
    """Between agents, people and Redis: cut, delay, drip, one way held, reset in a reply, half-open."""
    return await _storm(folder, for_clients=True)


async def for_workers(folder: Path) -> Outcome:
    """The same between all workers and Redis."""
    return await _storm(folder, for_clients=False)


SCENARIOS = (Scenario("network-clients", for_clients, 70), Scenario("network-workers", for_workers, 70))
