"""The grants page: what is remembered of approvals, and what ends it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier_workers.clock import now_ms
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.rules.granted import GrantsQuery, GrantView, grants_page
from guardtier_workers.console.rules.standing import fleets_of


async def grants(request: Request) -> Response:
    me, console = visitor_of(request).me, console_of(request)
    asked = GrantsQuery.read(request.query_params)
    found = await grants_page(console, me, asked)
    by_fleet: dict[str, list[GrantView]] = {}
    for one in found.grants:
        by_fleet.setdefault(one.fleet, []).append(one)
    return page(
        request,
        "grants.html",
        here="grants",
        asked=asked,
        fleets=await fleets_of(console, me),
        granted=by_fleet,
        now=now_ms(),
        after=found.after,
    )


ROUTES: tuple[BaseRoute, ...] = (Route("/grants", grants),)
