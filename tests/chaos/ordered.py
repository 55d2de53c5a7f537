"""An operator halts fleets and lets them go on, and changes the policy file, while workers die."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from chaos.credentials import FLEETS, embedded, role_lines
from chaos.durability import up
from chaos.load import POLICY, Load
from chaos.mortal import Mortal
from chaos.scenario import OPERATOR, Outcome, Place, Scenario
from guardtier import ApproverClient
from guardtier.approver_policies import PartitionFile
from guardtier.errors import GuardtierError
from guardtier.policy.halts import Then
from servers import Server
from waiting import until

T = TypeVar("T")

BETWEEN = 80  #: actions between two orders
TOLD = 20  #: calls that are told of a halt before it is lifted
TRIES = 10
FILES = 8
BOTH = tuple(FLEETS)


@dataclass(frozen=True, slots=True)
class Stop:
    """One halt, or one of each fleet at once. ``crash``: redis-server is killed while it stands."""

    fleets: Sequence[str]
    then: Then = "park"
    reject_parked: bool = False
    crash: bool = False


STOPS = (
    Stop(("web",)),
    Stop(BOTH, crash=True),
    Stop(("ops",), then="reject"),
    Stop(BOTH, reject_parked=True),
    Stop(BOTH, then="reject", crash=True),
    Stop(("web",), crash=True),
)


class Orders:
    """What an operator asks for, as often as it takes, each time noted."""

    def __init__(self, load: Load, olga: ApproverClient) -> None:
        self._history, self._olga = load.history, olga
        self._numbers = iter(range(1_000_000))

    async def halt(self, fleet: str, stop: Stop) -> None:
        for _ in range(TRIES):
            reason = f"halt {next(self._numbers)}"
            order = self._history.order("halt", OPERATOR, fleet, reason)
            try:
                await self._olga.halt(
                    fleet, reason=reason, then=stop.then, reject_parked=stop.reject_parked
                )
            except GuardtierError as error:
                order.failed(error)
                continue
            order.told(None)
            return
        raise AssertionError(f"{fleet} can't be halted")

    async def resume(self, fleet: str) -> None:
        for _ in range(TRIES):
            reason = f"resume {next(self._numbers)}"
            order = self._history.order("resume", OPERATOR, fleet, reason)
            try:
                lifted = await self._olga.resume(fleet, reason=reason)
            except GuardtierError as error:
                order.failed(error)
                continue
            order.told(None)
            if not lifted:
                order.kind = ""  # one that failed has lifted it
            return
        raise AssertionError(f"{fleet} can't be resumed")

    async def configure(self, text: str | None) -> str:
        """Set this policy file, or none. Returns its version."""
        for _ in range(TRIES):
            order = self._history.order("configure", OPERATOR, "*", "")
            try:
                files = await self._set(text)
            except GuardtierError as error:
                order.failed(error)
                continue
            (order.kind,) = {file.standing.label for file in files if file.standing}
            order.told(None)
            return order.kind
        raise AssertionError("the policy file can't be set")

    def _set(self, text: str | None) -> Awaitable[list[PartitionFile]]:
        return self._olga.reset_policy_file() if text is None else self._olga.set_policy_file(text)


async def halts(folder: Path) -> Outcome:
    """One fleet, or all, are halted and resumed, while workers are killed, and redis-server (always)."""
    lines = (*role_lines(), "appendonly yes", "appendfsync always", 'save ""')
    with Server(folder / "redis", *lines) as server:
        async with Place(server.url, folder, partitions=2) as place, place.operator() as olga:
            mortal = await Mortal(place).begin()
            async with place.load(rate=120, fleets=FLEETS) as load:
                orders = Orders(load, olga)
                for stop in STOPS:
                    await load.more(BETWEEN)
                    await _while_one_dies(mortal, [orders.halt(fleet, stop) for fleet in stop.fleets])
                    if stop.crash:
                        server.kill()
                        await up(server)
                    await _stands(load, stop)
                    await _while_one_dies(mortal, [orders.resume(fleet) for fleet in stop.fleets])
                await load.more(BETWEEN)
            many, told = sum(len(stop.fleets) for stop in STOPS), _told_halted(load)
            crashes = sum(stop.crash for stop in STOPS)
            notes = (
                f"{many} halts, {told} calls told so; killed: {mortal.killed} and {crashes} redis-server"
            )
            return await place.outcome(load, notes)


async def _while_one_dies(mortal: Mortal, orders: Sequence[Awaitable[None]]) -> None:
    await asyncio.gather(*orders, asyncio.to_thread(mortal.kill_one))


async def _stands(load: Load, stop: Stop) -> None:
    """Wait until agents have been told of it; where another fleet is free, until that has gone on."""
    before = _told_halted(load)
    if stop.then == "park":
        await until(lambda: _told_halted(load) >= before + TOLD, 60.0)
    if stop.then == "reject" or len(stop.fleets) < len(FLEETS):
        await load.more(BETWEEN)


def _told_halted(load: Load) -> int:
    return sum(call.error == "halted" for call in load.history)


def _file_for(number: int) -> str:
    """Parks whatever some agents ask for, beside what the usual file does."""
    name = f"agent-{number}"
    return f'{POLICY}[[rule]]\nname = "{name}"\noutcome = "park"\nagent = "{name}*"\n'


async def policies(folder: Path) -> Outcome:
    """The policy file is set anew again and again, and reset, while workers are killed."""
    with embedded() as server:
        async with Place(server.url, folder, partitions=2) as place, place.operator() as olga:
            mortal = await Mortal(place).begin()
            async with place.load() as load:
                orders = Orders(load, olga)
                for number in range(FILES):
                    await load.more(BETWEEN)
                    text = _file_for(number) if number % 4 != 3 else None
                    await asyncio.gather(orders.configure(text), asyncio.to_thread(mortal.kill_one))
                await load.more(BETWEEN)
            held = _held(load)
            notes = f"{FILES} files, by which {held} more actions were parked; killed: {mortal.killed}"
            return await place.outcome(load, notes)


def _held(load: Load) -> int:
    """How many harmless actions of the agents that each file names were parked. Raises AssertionError where
    one was released that was first asked for while the file was known to stand.
    """
    first: dict[str, float] = {}
    for call in load.history:
        first.setdefault(call.id, call.asked_at)
    held, number = 0, -1
    for order, following in pairwise(load.history.orders):
        number += order.error is None
        if order.error is not None or number % 4 == 3:
            continue
        for call in load.history:
            if call.who.startswith(f"agent-{number}") and call.kind == "low" and call.verdict is not None:
                known = (order.ended_at or 0) < first[call.id]
                known = known and (call.ended_at or 0) < following.asked_at
                released = call.verdict.outcome == "released"
                assert not (known and released), f"{call.id} was released, though {order.kind} stood"
                held += not released
    return held


SCENARIOS = (Scenario("halts", halts, 40), Scenario("policy-changed", policies, 30))
