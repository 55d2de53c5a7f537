"""Figures over time: charts, and the same as a table."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.history import TOOLS
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.story.charts import HEIGHT, charts_of
from guardtier_workers.console.story.figures import Counts, FiguresQuery, Span

_SPANS = ((Span.HOUR, "The last hour"), (Span.DAY, "The last day"), (Span.WEEK, "The last week"))


async def stats(request: Request) -> Response:
    me = visitor_of(request).me
    query = FiguresQuery.read(request.query_params)
    figures = await console_of(request).stories.figures(query, me)
    return page(
        request,
        "stats.html",
        here="history",
        tab="stats",
        figures=figures,
        charts=charts_of(figures, _when),
        spans=_SPANS,
        height=HEIGHT,
        when=_when,
        **TOOLS,
    )


def _when(counts: Counts) -> str:
    """When a step begins and ends, in UTC."""
    start = datetime.fromtimestamp(counts.at / 1000, UTC)
    return f"{start:%b %d, %H:%M} to {datetime.fromtimestamp(counts.until / 1000, UTC):%H:%M}"


ROUTES: tuple[BaseRoute, ...] = (Route("/stats", stats),)
