"""Gate: the middleware that says who sent each request, and turns away what a browser was tricked into."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardtier.errors import GuardtierError, NotAuthorized
from guardtier_workers.console.access.addresses import check_host, check_transport
from guardtier_workers.console.access.credentials import visitor
from guardtier_workers.console.access.forgery import check_origin, comes_from_elsewhere
from guardtier_workers.console.access.paths import path_of
from guardtier_workers.console.access.problems import NotHere, TooLarge, WrongHost
from guardtier_workers.console.access.refused import Kind
from guardtier_workers.console.access.visitor import Visitor
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page

MOST_BYTES: Final = 4 * 1024 * 1024  #: of any request; an endpoint takes less, and says so more kindly
FORM_BYTES: Final = 64 * 1024  #: of what anybody may send: of 4 MiB, parsing a form takes 3 s
#: Whom an orchestrator asks in its own way: by any name, in plain HTTP. They say nothing of any fleet.
KEPT_SECONDS: Final = 300  #: that a browser uses a script or a style before it asks for a new one
PROBES: Final = frozenset({"/healthz", "/readyz"})
#: What is there for whoever has not signed in; each of these says itself what it shows to whom.
OPEN: Final = ("/login", "/logout", "/enter", "/oidc/", "/static/", "/metrics", "/api/v1/openapi.json")

#: No inline script, no foreign origin, no frame around it.
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Gate:
    """Pure ASGI, so that a stream of events is not held back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # nothing here speaks it: not even what a plug-in mounts
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            bounded = _bounded(receive, _most_of(scope["path"]))
            await self._answer(Request(scope, receive), scope, bounded, _with_headers(scope, send))
        else:
            await self._app(scope, receive, send)

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        request.state.visitor = None
        try:
            turned = await _look_at(request)
        except GuardtierError as error:
            turned = refusal(request, error)
        await (turned or self._app)(scope, receive, send)


async def _look_at(request: Request) -> Response | None:
    """What it is answered with at the gate; None: it may go on. Raises why it may not."""
    path = request.scope["path"]
    if path in PROBES:
        return None
    door = console_of(request).door
    try:
        check_host(request, door.names)
        check_transport(request)
        _check_length(request)
        if not path.startswith("/static/"):
            request.state.visitor = await visitor(request)
        check_origin(request)
    except GuardtierError as error:
        kind = _kind_of(error)
        if kind is not None:
            door.refused.note(kind, request, error.message)
        raise
    found: Visitor | None = request.state.visitor
    signed_in = found is not None and (found.session or found.signer)
    if path.startswith(OPEN):
        return None
    if comes_from_elsewhere(request) and not signed_in:
        return page(request, "bounce.html", path=path_of(request))
    if found is None:
        raise NotAuthorized("sign in first", field="credentials")
    return None


def _kind_of(error: GuardtierError) -> Kind | None:
    """What it is counted as; None: it was counted where it was found."""
    kinds = {WrongHost: Kind.HOST, NotHere: Kind.TRANSPORT, TooLarge: Kind.SIZE}
    if type(error) in kinds:
        return kinds[type(error)]
    return Kind.ORIGIN if error.field == "origin" else None


def _most_of(path: str) -> int:
    """How many bytes a request there has at the most."""
    return FORM_BYTES if path.startswith(OPEN) else MOST_BYTES


def _check_length(request: Request) -> None:
    """Raise TooLarge by what it says of itself; what it really has is counted as it comes."""
    told, most = request.headers.get("content-length", "0"), _most_of(request.scope["path"])
    if not told.isdecimal() or int(told[:12]) > most:
        raise TooLarge(f"a request here has at most {most} bytes", field="body", limit=most)


def _bounded(receive: Receive, most: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, f"a request here has at most {most} bytes")
        return message

    return bounded


def _with_headers(scope: Scope, send: Send) -> Send:
    # A browser left to itself guesses how long a file is good for: after an upgrade it runs the old one for
    # days. To be asked each time is fifty requests a page.
    kept = f"max-age={KEPT_SECONDS}" if scope["path"].startswith("/static/") else "no-store"

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", kept)
        await send(message)

    return with_headers
