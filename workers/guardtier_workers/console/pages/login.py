"""Signing in with a name and a token, and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import NotAuthorized
from guardtier.look import Me
from guardtier.signer import Signer
from guardtier_workers.console.access.gate import COOKIE, check_token
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page


async def form(request: Request) -> Response:
    return page(request, "login.html", failed="")


async def enter(request: Request) -> Response:
    given = await request.form(max_files=0, max_fields=4)
    try:
        signer = Signer.with_token(str(given.get("name", ""))[:128], str(given.get("token", ""))[:512])
        me = await console_of(request).tier.acting(signer).me()
    except NotAuthorized:
        return page(request, "login.html", status=403, failed="No approver has this name and token.")
    return begin(request, signer, me)


def begin(request: Request, signer: Signer, me: Me) -> Response:
    """Start a session, and go to the inbox."""
    sessions = console_of(request).sessions
    sessions.end(request.cookies.get(COOKIE, ""))
    name, _ = sessions.begin(signer, me)
    response = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, name, httponly=True, samesite="strict", secure=secure, path="/")
    return response


async def leave(request: Request) -> Response:
    given = await request.form(max_files=0, max_fields=4)
    check_token(request, str(given.get("csrf", "")))
    console_of(request).sessions.end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


ROUTES: tuple[BaseRoute, ...] = (
    Route("/login", form, methods=["GET"]),
    Route("/login", enter, methods=["POST"]),
    Route("/logout", leave, methods=["POST"]),
)
