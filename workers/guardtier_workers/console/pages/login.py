"""Signing in, by name and token or by a link of ``guardtier console``, and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import NotAuthorized
from guardtier.signer import Signer
from guardtier_workers.console.access.credentials import begin_session, end_session, prove
from guardtier_workers.console.access.forgery import check_token, digest_of_seat
from guardtier_workers.console.access.paths import own_path
from guardtier_workers.console.access.problems import TooManyTries
from guardtier_workers.console.access.refused import Kind
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page

FIELD_BYTES = 4096


async def form(request: Request) -> Response:
    back = own_path(request.query_params.get("next", ""))
    found = request.state.visitor
    if found is not None and found.session is not None:
        return RedirectResponse(back, 303)
    return login_page(request, back, ended="ended" in request.query_params)


async def enter(request: Request) -> Response:
    given = await _fields(request)
    back = own_path(given.get("next", ""))
    try:
        signer = Signer.with_token(given.get("name", "")[:128], given.get("token", "")[:512])
        me = await prove(request, signer)
    except NotAuthorized:
        return login_page(request, back, 403, "No approver has this name and token.")
    except TooManyTries as error:
        refused = login_page(request, back, 429, error.message)
        refused.headers["retry-after"] = str(error.limit)
        return refused
    response = RedirectResponse(back, 303)
    begin_session(request, response, signer, me, seat=digest_of_seat(given.get("seat", "")))
    return response


async def link(request: Request) -> Response:
    """The page that a link of ``guardtier console`` opens. Its code stands behind the #: not sent yet."""
    return page(request, "enter.html")


async def follow(request: Request) -> Response:
    given = await _fields(request)
    door = console_of(request).door
    try:
        if door.links is None:
            raise NotAuthorized("this console takes no links: sign in with name and token", field="code")
        signer = door.links.take(given.get("code", ""), given.get("name", ""))
    except NotAuthorized as error:
        door.refused.note(Kind.CREDENTIALS, request, error.message)
        return login_page(request, "/", 403, error.message)
    response = RedirectResponse("/", 303)
    seat = digest_of_seat(given.get("seat", ""))
    begin_session(request, response, signer, await prove(request, signer), seat=seat)
    return response


async def leave(request: Request) -> Response:
    given = await _fields(request)
    check_token(request, given.get("csrf", ""))
    response = RedirectResponse("/login", 303)
    end_session(request, response)
    return response


def login_page(
    request: Request, back: str, status: int = 200, failed: str = "", *, ended: bool = False
) -> Response:
    """``back``: where to go afterwards. ``failed``: what was wrong with the try before. ``ended``: the
    session was, while a page was open.
    """
    console = console_of(request)
    return page(
        request,
        "login.html",
        status=status,
        failed=f"{failed[:1].upper()}{failed[1:].removesuffix('.')}." if failed else "",
        back=back,
        ended=ended,
        oidc=console.settings.console.oidc,
        takes_links=console.door.links is not None,
        visitor=None,
    )


async def _fields(request: Request) -> dict[str, str]:
    given = await request.form(max_files=0, max_fields=8, max_part_size=FIELD_BYTES)
    return {name: value for name, value in given.items() if isinstance(value, str)}


ROUTES: tuple[BaseRoute, ...] = (
    Route("/login", form, methods=["GET"]),
    Route("/login", enter, methods=["POST"]),
    Route("/enter", link, methods=["GET"]),
    Route("/enter", follow, methods=["POST"]),
    Route("/logout", leave, methods=["POST"]),
)
