"""Fleets: what waits in each, under which policy, what is halted; halting and resuming."""

from __future__ import annotations

import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import TierUnavailable
from guardtier.look import Me
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.api.halts import halt_view
from guardtier_workers.console.api.workers import FleetsAfter, page_of
from guardtier_workers.console.console import Console, console_of
from guardtier_workers.console.ops.waiting import Waiting
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.rules.standing import File, file_that_stands, fleet_view

log = logging.getLogger(__name__)

HALTS_SHOWN = 20  #: of one fleet; the API has all of them


async def fleets(request: Request) -> Response:
    query = FleetsAfter.read(request.query_params)
    shown = await _shown(console_of(request), visitor_of(request).me, query)
    return page(request, "fleets.html", here="fleets", **shown)


async def live(request: Request) -> Response:
    """The part that the page asks for again and again."""
    query = FleetsAfter.read(request.query_params)
    shown = await _shown(console_of(request), visitor_of(request).me, query)
    return page(request, "_fleets.html", **shown)


async def _shown(console: Console, me: Me, query: FleetsAfter) -> dict[str, Any]:
    readings = console.ops.readings
    names = [fleet for fleet in await readings.fleets() if me.sees(fleet)]
    shown, after = page_of(names, query)
    waiting = await console.ops.waiting()
    file = await _file(console)
    standing = await readings.halts()
    found = []
    for name in shown:
        halts = [halt_view(one) for one in standing if one.scope.fleet == name]
        found.append(
            {
                "name": name,
                "policy": await fleet_view(console, name, file) if file else None,
                "waiting": waiting.get(name, Waiting()),
                "halts": halts[:HALTS_SHOWN],
                "more_halts": max(0, len(halts) - HALTS_SHOWN),
                "is_halted": any(one.scope.agent is None for one in halts),
                "may_halt": me.can("halt", name),
            }
        )
    return {
        "now": await readings.now_ms(),
        "fleets": found,
        "after": after,
        "begin": query.after or "",
        "is_live": console.board.is_live,
        "is_cut": console.board.is_cut,
    }


async def _file(console: Console) -> File | None:
    """The policy file that stands. None where the settings' can't be read here: a halt needs none."""
    try:
        return await file_that_stands(console)
    except TierUnavailable as error:
        log.warning("fleets are shown without their policies: %s", error.message)
        return None


ROUTES: tuple[BaseRoute, ...] = (
    Route("/fleets", fleets, methods=["GET"]),
    Route("/fleets/live", live, methods=["GET"]),
)
