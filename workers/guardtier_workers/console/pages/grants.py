"""The grants page: what is remembered of approvals, and what ends it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier_workers.clock import now_ms
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.rules.granted import GrantsQuery, GrantView, grants_page
from guardtier_workers.console.rules.standing import fleets_of
from guardtier_workers.console.rules.words import iso, moment, span


async def grants(request: Request) -> Response:
    me, console = visitor_of(request).me, console_of(request)
    asked = GrantsQuery.read(request.query_params)
    found = await grants_page(console, me, asked)
    by_fleet: dict[str, list[dict[str, Any]]] = {}
    for one in found.grants:
        by_fleet.setdefault(one.fleet, []).append(_shown(one))
    return page(
        request,
        "grants.html",
        here="grants",
        asked=asked,
        fleets=await fleets_of(console, me),
        granted=by_fleet,
        after=found.after,
    )


def _shown(one: GrantView) -> dict[str, Any]:
    return {
        "grant": one,
        "left": span(max(one.expires_at - now_ms(), 1000) / 1000),
        "ends": moment(one.expires_at),
        "ends_iso": iso(one.expires_at),
        "given": moment(one.given_at),
        "given_iso": iso(one.given_at),
    }


ROUTES: tuple[BaseRoute, ...] = (Route("/grants", grants),)
