"""/healthz, /readyz and /metrics: what orchestrators and Prometheus ask."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import NotAuthorized
from guardtier.settings import Settings
from guardtier_workers.console.access.addresses import is_loopback, names_of
from guardtier_workers.console.console import console_of
from guardtier_workers.console.ops.scrape import metrics, readiness

_CHALLENGE = {"www-authenticate": 'Basic realm="guardtier", charset="UTF-8"'}


async def healthz(_request: Request) -> Response:
    """It lives: it answers. Nothing is asked of Redis, since a restart would mend nothing there."""
    return JSONResponse({"ok": True, "kind": "console"})


async def readyz(request: Request) -> Response:
    found = await readiness(console_of(request))
    return JSONResponse(found, 200 if found["ok"] else 503)


async def scrape(request: Request) -> Response:
    """For everybody on this machine where the console is for it alone; else for who sees every fleet."""
    console = console_of(request)
    if not is_for_this_machine(console.settings):
        visitor = request.state.visitor
        if visitor is None:
            return Response("the metrics are for who has signed in", 401, _CHALLENGE)
        if not visitor.me.sees("*"):
            raise NotAuthorized("the metrics are of every fleet: your rights are not", field="fleet")
    return Response(await metrics(console), media_type=CONTENT_TYPE_LATEST)


def is_for_this_machine(settings: Settings) -> bool:
    """Whether nobody reaches the console from elsewhere: directly, by a proxy, or by a name of its own."""
    own = settings.console
    names = {own.host, *names_of(settings)}
    return not own.proxies and all(is_loopback(name) for name in names)


ROUTES: tuple[BaseRoute, ...] = (
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", scrape, methods=["GET"]),
)
