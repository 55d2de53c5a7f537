"""``/fleets``: the registered fleets, and what waits in each."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel

from guardtier.risk import SecurityRisk
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.api.workers import FleetsAfter, page_of
from guardtier_workers.console.ops.waiting import Waiting


class Fleet(BaseModel):
    """``oldest``: when what has waited longest came (ms since 1970). ``halts``: of it and in it."""

    fleet: str
    parked: int
    by_risk: dict[SecurityRisk, int]
    oldest: int | None
    halts: int


class Fleets(BaseModel):
    """``after``: where the next page begins, null where there is none. Not ``live``: counts may be old.
    ``cut``: more is parked than the console holds, so they are of those with the nearest deadlines.
    """

    fleets: list[Fleet]
    after: str | None
    live: bool
    cut: bool


async def list_fleets(call: Call) -> Fleets:
    console, me = call.console, call.visitor.me
    names = [fleet for fleet in await console.ops.readings.fleets() if me.sees(fleet)]
    shown, after = page_of(names, call.query)
    halts = Counter(one.scope.fleet for one in await console.ops.readings.halts())
    waiting = await console.ops.waiting()
    return Fleets(
        fleets=[_view(name, waiting.get(name, Waiting()), halts[name]) for name in shown],
        after=after,
        live=console.board.is_live,
        cut=console.board.is_cut,
    )


def _view(name: str, waiting: Waiting, halts: int) -> Fleet:
    return Fleet(
        fleet=name,
        parked=waiting.count,
        by_risk=waiting.by_risk,
        oldest=waiting.oldest,
        halts=halts,
    )


ENDPOINTS = (
    Endpoint(
        "GET", "/fleets", list_fleets, Fleets, "The registered fleets", query=FleetsAfter, tag="fleets"
    ),
)
