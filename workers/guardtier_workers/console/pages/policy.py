"""The policy page: the file that stands, the fleets' own policies, and changing both."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.action import NAME
from guardtier.policy.standing import EVERY_FLEET
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.query import Query
from guardtier_workers.console.rules.standing import (
    file_that_stands,
    file_view,
    fleet_view,
    fleets_of,
    rule_view,
    rules_of,
)

RULES = 50  #: of one page
FLEETS = 50


class PolicyQuery(Query):
    """``rule``: how many rules to leave out; ``of``: the fleet they are about; ``fleet``: the last one of
    the page before.
    """

    rule: int = Field(default=0, ge=0, le=10_000)
    of: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None


async def policy(request: Request) -> Response:
    me, console = visitor_of(request).me, console_of(request)
    asked = PolicyQuery.read(request.query_params)
    file = await file_that_stands(console)
    rules = rules_of(file, me, asked.of)
    fleets = [one for one in await fleets_of(console, me) if asked.fleet is None or one > asked.fleet]
    return page(
        request,
        "policy.html",
        here="policy",
        asked=asked,
        file=file_view(file, me),
        sees_all=me.sees(EVERY_FLEET),
        may_set=me.can("configure", EVERY_FLEET),
        rules=[rule_view(rule, me) for rule in rules[asked.rule : asked.rule + RULES]],
        total=len(rules),
        next_rule=asked.rule + RULES if len(rules) > asked.rule + RULES else None,
        fleets=[await fleet_view(console, fleet, file) for fleet in fleets[:FLEETS]],
        next_fleet=fleets[FLEETS - 1] if len(fleets) > FLEETS else None,
    )


ROUTES: tuple[BaseRoute, ...] = (Route("/policy", policy),)
