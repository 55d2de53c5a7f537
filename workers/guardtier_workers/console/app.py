"""The application: every route, behind the gate."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from guardtier.errors import GuardtierError, InvalidAction, TierUnavailable, UnknownAction
from guardtier.settings import Settings
from guardtier.store.connection import RedisError
from guardtier_workers.console.access.gate import Gate
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.api.plugins import plugin_routes
from guardtier_workers.console.api.routes import routes as api_routes
from guardtier_workers.console.console import opened
from guardtier_workers.console.pages import (
    action,
    answering,
    events,
    fleets,
    grants,
    history,
    inbox,
    login,
    policy,
    probes,
    signon,
    stats,
    workers,
)
from guardtier_workers.console.pages.page import FOLDER

log = logging.getLogger(__name__)


def make_app(settings: Settings) -> Starlette:
    """It connects to Redis when it starts, and lets go when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened(settings) as console:
            app.state.console = console
            yield

    async def unknown(request: Request) -> Response:
        raise UnknownAction(f"there is no page {request.url.path[:200]}", field="path")

    routes: list[BaseRoute] = [
        *inbox.ROUTES,
        *action.ROUTES,
        *answering.ROUTES,
        *events.ROUTES,
        *fleets.ROUTES,
        *grants.ROUTES,
        *history.ROUTES,
        *login.ROUTES,
        *policy.ROUTES,
        *probes.ROUTES,
        *signon.ROUTES,
        *stats.ROUTES,
        *workers.ROUTES,
        *plugin_routes(settings),
        *api_routes(),
        Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static"),
        Route("/{rest:path}", unknown),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Gate)],
        exception_handlers={GuardtierError: _refuse, HTTPException: _refuse_http, RedisError: _refuse_away},
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, GuardtierError)  # noqa: S101
    return refusal(request, error)


async def _refuse_away(request: Request, error: Exception) -> Response:
    """Redis is away, or does not let this console read."""
    log.warning("%s could not be read: %r", request.url.path, error)
    return refusal(request, TierUnavailable("Redis does not answer: try again in a moment"))


async def _refuse_http(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: another method, a form that can't be read."""
    assert isinstance(error, HTTPException)  # noqa: S101
    response = refusal(request, InvalidAction(error.detail, field="request"))
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response
