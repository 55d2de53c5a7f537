"""The inbox: what waits for an answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.pages.page import page


async def inbox(request: Request) -> Response:
    visitor_of(request)
    return page(request, "inbox.html", here="inbox")


ROUTES: tuple[BaseRoute, ...] = (Route("/", inbox),)
