"""The inbox: what waits for an answer, and the list of it under other filters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import ConfigError
from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier_workers.cli.safe_text import safe
from guardtier_workers.clock import now_ms
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.board.filters import Filter, Wanted
from guardtier_workers.console.console import Console, console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.show.row import order_text, row_values

OFFERED: Final = 2_000  #: actions whose agents, tools and detectors the filters offer
CHOICES: Final = 100  #: of each
RISKS: Final = (SecurityRisk.HIGH, SecurityRisk.UNKNOWN, SecurityRisk.MEDIUM, SecurityRisk.LOW)


async def inbox(request: Request) -> Response:
    me, console = visitor_of(request).me, console_of(request)
    wanted = Wanted.read(request.query_params)
    return page(
        request,
        "inbox.html",
        here="inbox",
        now=now_ms(),
        choices=_choices(console, me),
        fleets=_fleets(console, me),
        may_answer=any(me.can("answer", fleet) for fleet in me.fleets),
        **_listed(console, me, wanted),
    )


async def rows(request: Request) -> Response:
    """The list under other filters; with ``after`` its next rows."""
    me, console = visitor_of(request).me, console_of(request)
    try:
        wanted = Wanted.read(request.query_params)
    except ConfigError as error:
        return page(request, "_rows_problem.html", status=422, error=error)
    template = "_more.html" if wanted.after else "_rows.html"
    response = page(request, template, **_listed(console, me, wanted))
    if not wanted.after:
        query = _query(wanted)
        response.headers["HX-Replace-Url"] = f"/?{query}" if query else "/"
    return response


def _listed(console: Console, me: Me, wanted: Wanted) -> dict[str, Any]:
    """``after`` is where the rows behind these begin; "" where there are none."""
    board = console.board
    items, more = board.page(wanted, me, limit=wanted.limit, after=wanted.behind)
    return {
        "rows": [row_values(item) for item in items],
        "after": order_text(items[-1].order) if more else "",
        "wanted": wanted,
        "query": _query(wanted),
        "counts": board.counts(me),
        "total": board.total(me),
        "risks": RISKS,
        "is_loaded": board.loaded.is_set(),
        "is_cut": board.is_cut,
    }


def _query(wanted: Wanted) -> str:
    """The filter as the page's address has it."""
    given = wanted.model_dump(mode="json", exclude_defaults=True, exclude={"after", "limit"})
    return urlencode(given, doseq=True)


def _choices(console: Console, me: Me) -> dict[str, list[str]]:
    """What the filters offer: of the first actions, what there is."""
    items, _ = console.board.page(Filter(), me, limit=OFFERED)
    return {
        "agent": _first(item.agent for item in items),
        "tool": _first(item.tool for item in items),
        "detector": _first(one for item in items for one in item.detectors),
    }


def _first(values: Iterable[str]) -> list[str]:
    """A browser shows choices as they are: those with characters that nobody sees are not offered."""
    return sorted({value for value in values if value and safe(value) == value})[:CHOICES]


def _fleets(console: Console, me: Me) -> list[str]:
    """Those that the visitor sees."""
    known = set(console.settings.fleets) if "*" in me.fleets else set(me.fleets)
    items, _ = console.board.page(Filter(), me, limit=OFFERED)
    return sorted(known | {item.fleet for item in items})


ROUTES: tuple[BaseRoute, ...] = (Route("/", inbox), Route("/rows", rows))
