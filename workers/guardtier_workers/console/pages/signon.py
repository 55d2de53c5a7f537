"""Signing in by an identity provider: to it, and back."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import GuardtierError, NotAuthorized, UnknownAction
from guardtier_workers.console.access.addresses import address_of
from guardtier_workers.console.access.credentials import (
    TIER_SECONDS,
    begin_session,
    check_sight,
    cookie_called,
    cookie_of,
    is_secure,
)
from guardtier_workers.console.access.forgery import (
    comes_from_a_neighbour,
    comes_from_elsewhere,
    seat_in,
)
from guardtier_workers.console.access.paths import login_path, own_path
from guardtier_workers.console.access.problems import ProviderAway, SignOnFailed
from guardtier_workers.console.access.refused import Kind
from guardtier_workers.console.access.signon import LASTS_SECONDS, SignOn
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.login import login_page
from guardtier_workers.console.pages.page import page

COOKIE: Final = "guardtier_signon"
BACK: Final = "/oidc/callback"


async def start(request: Request) -> Response:
    """Off to the provider. Another site's link leads to our own page first: somebody presses a button."""
    sign_on = _sign_on(request)
    if comes_from_elsewhere(request) or comes_from_a_neighbour(request):
        return RedirectResponse(login_path(request), 303)
    wanted = own_path(request.query_params.get("next", ""))
    tries, address = console_of(request).door.tries, address_of(request)
    tries.check_visit(address)
    name, begun = sign_on.begin(wanted, _back(request), seat_in(request.query_params.get("seat", "")))
    try:
        response = RedirectResponse(await sign_on.where_to(begun), 303)
    except ProviderAway as error:
        return _failed(request, error, wanted)
    response.set_cookie(
        cookie_called(COOKIE, request),
        name,
        max_age=int(LASTS_SECONDS),
        httponly=True,
        samesite="lax",  # it comes along when the provider sends the browser back
        secure=is_secure(request),
        path="/",
    )
    return response


async def arrive(request: Request) -> Response:
    """Back from the provider. Whose identity it is, the policy workers say."""
    sign_on, console = _sign_on(request), console_of(request)
    given = dict(request.query_params)
    try:
        begun = sign_on.taken(_cookie(request), given.get("state", ""))
        subject = await sign_on.subject(begun, given)
    except (SignOnFailed, ProviderAway) as error:
        return _failed(request, error)
    try:
        voucher = console.tier.acting(sign_on.voucher)
        me = await voucher.whose(subject, timeout=TIER_SECONDS)
        check_sight(me)
    except NotAuthorized:
        return _failed(
            request,
            NotAuthorized(
                f"you are {subject} there, and no approver here is: whoever keeps the approvers file "
                "can add this as subject, with this console in vouched_by",
                field="subject",
            ),
        )
    console.door.tries.forgive_visit(address_of(request))
    # Not a redirect: one that began at the provider would come without the session's cookie.
    response = page(request, "bounce.html", path=begun.next)
    begin_session(request, response, sign_on.signer_for(me.name), me, subject, seat=begun.seat)
    _forget(request, response)
    return response


def _failed(request: Request, error: GuardtierError, back: str = "/") -> Response:
    console_of(request).door.refused.note(Kind.CREDENTIALS, request, error.message)
    away = isinstance(error, ProviderAway)
    said = f"The identity provider can't be used: {error.message}" if away else error.message
    response = login_page(request, back, 503 if away else 403, said)
    _forget(request, response)
    return response


def _forget(request: Request, response: Response) -> None:
    called, secure = cookie_called(COOKIE, request), is_secure(request)
    response.delete_cookie(called, path="/", secure=secure, httponly=True, samesite="lax")


def _cookie(request: Request) -> str:
    return cookie_of(COOKIE, request)


def _sign_on(request: Request) -> SignOn:
    found = console_of(request).door.sign_on
    if found is None:
        raise UnknownAction("this console has no single sign-on", field="path")
    return found


def _back(request: Request) -> str:
    """Where the provider sends browsers: what is registered there."""
    base = console_of(request).settings.console_url
    return f"{base.rstrip('/')}{BACK}" if base else f"{request.url.scheme}://{request.url.netloc}{BACK}"


ROUTES: tuple[BaseRoute, ...] = (Route("/oidc/start", start), Route(BACK, arrive))
