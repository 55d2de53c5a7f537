"""Gate: the middleware that says who sent each request, and turns away what a browser was tricked into."""

from __future__ import annotations

import base64
import binascii
import secrets
from time import monotonic
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardtier.errors import GuardtierError, NotAuthorized
from guardtier.signer import Signer
from guardtier_workers.console.access.sessions import Session
from guardtier_workers.console.access.visitor import ANYBODY, Visitor
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.console import Console, console_of

COOKIE: Final = "guardtier_session"
CSRF_HEADER: Final = "x-csrf-token"
ASK_SECONDS: Final = 15.0  #: a revoked token is out after so long at the latest
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

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
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not request.url.path.startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            request.state.visitor = await visitor(request)
            check_origin(request)
        except GuardtierError as error:
            await refusal(request, error)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


async def visitor(request: HTTPConnection) -> Visitor | None:
    """Who sent it; None: nobody who has signed in. Raises what the tier refuses a credential with."""
    console = console_of(request)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return await _by_token(console, given)
    session = console.sessions.find(request.cookies.get(COOKIE, ""))
    if session is not None and await _still(console, session):
        return Visitor(session.me, session.signer, session)
    return Visitor(ANYBODY) if console.settings.console.open_to_viewers else None


async def _by_token(console: Console, given: str) -> Visitor:
    """A program: HTTP Basic, the approver's name and token."""
    try:
        name, _, token = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NotAuthorized("the credentials can't be read: name and token, as HTTP Basic") from error
    signer = Signer.with_token(name, token)
    return Visitor(await console.tier.acting(signer).me(), signer)


async def _still(console: Console, session: Session) -> bool:
    """Whether the tier still takes what they sign; what they may is brought up to date."""
    if monotonic() - session.asked < ASK_SECONDS:
        return True
    try:
        session.me = await console.tier.acting(session.signer).me()
    except NotAuthorized:
        return False
    session.asked = monotonic()
    return True


def check_origin(request: Request) -> None:
    """Raise NotAuthorized for a change that another site may have asked a browser for."""
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.url.netloc}"
    if (site is not None and site != "same-origin") or (origin is not None and origin != own):
        raise NotAuthorized("another site has asked for this", field="origin")


def check_token(request: Request, given: str) -> None:
    """Raise NotAuthorized where a session's request lacks the session's own token (CSRF)."""
    session = request.state.visitor.session if request.state.visitor else None
    if session is not None and not secrets.compare_digest(given.encode(), session.csrf.encode()):
        raise NotAuthorized("the form is of another session: reload the page", field="csrf")
