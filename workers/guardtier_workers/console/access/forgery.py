"""Forgery: tells what a person asked for from what another site tricked their browser into."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from guardtier.errors import NotAuthorized
from guardtier_workers.console.access.refused import Kind
from guardtier_workers.console.access.visitor import Visitor
from guardtier_workers.console.console import console_of

CSRF_HEADER: Final = "x-csrf-token"
SEAT_HEADER: Final = "x-guardtier-seat"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(request: Request) -> None:
    """Raise NotAuthorized for what another site may have asked a browser for.

    A link to a page may stand anywhere. A change, and every part of a page, is asked for by our own
    pages alone: a browser says so in Origin or Sec-Fetch-Site, and where it comes with a session it
    has to. Programs that bring a token say neither.
    """
    site = request.headers.get("sec-fetch-site")
    if request.method in SAFE:
        if site in ("cross-site", "same-site") and not _is_visit(request):
            raise _other_site()
        return
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.url.netloc}"
    if (site is not None and site != "same-origin") or (origin is not None and origin != own):
        raise _other_site()
    if site is None and origin is None and not _is_program(request):
        raise NotAuthorized("a form is sent by a browser that says which page it is of", field="origin")


def comes_from_elsewhere(request: Request) -> bool:
    """Whether another site's link, or a chat's, led here: the browser has left out our cookies then."""
    return (
        request.method == "GET"
        and request.headers.get("sec-fetch-site") == "cross-site"
        and _is_visit(request)
    )


def comes_from_a_neighbour(request: Request) -> bool:
    """Whether a page at another port of our name, or at a name beside it, led here: it gets our cookies."""
    return request.headers.get("sec-fetch-site") == "same-site"


def check_token(request: Request, given: str) -> None:
    """Raise NotAuthorized where a session's request lacks the session's own token (CSRF)."""
    found: Visitor | None = request.state.visitor
    session = found.session if found else None
    if session is not None and not secrets.compare_digest(
        given.encode(errors="replace"), session.csrf.encode()
    ):
        console_of(request).door.refused.note(Kind.CSRF, request, "not the session's token")
        raise NotAuthorized("the form is of another session: reload the page", field="csrf")


def check_change(request: Request) -> None:
    """Raise NotAuthorized where a session's request that may change something is not of its own pages."""
    if request.method not in SAFE:
        check_token(request, request.headers.get(CSRF_HEADER, ""))
        _check_seat(request)


def _check_seat(request: Request) -> None:
    """Raise NotAuthorized where a change lacks what the browser that began the session keeps for it.

    The cookie alone is not enough: browsers send it to each port of the console's name, where an agent may
    serve a page that somebody opens. What is in a browser's storage, it shows to this very address alone.
    """
    found: Visitor | None = request.state.visitor
    session = found.session if found else None
    if session is None or not session.seat:
        return
    given = digest_of_seat(request.headers.get(SEAT_HEADER, ""))
    if not secrets.compare_digest(given, session.seat):
        console_of(request).door.refused.note(Kind.CSRF, request, "not of the browser that signed in")
        raise NotAuthorized(
            "this is not the browser that signed in, or it forgot so: sign out, and in again", field="csrf"
        )


def digest_of_seat(seat: str) -> str:
    """As sessions have it; "" for what no page of ours makes."""
    return sha256(seat.encode()).hexdigest() if _SEAT.fullmatch(seat) else ""


def seat_in(digest: str) -> str:
    """A digest that came by an address; "" for none."""
    return digest if _SEAT.fullmatch(digest) else ""


_SEAT = re.compile(r"[0-9a-f]{64}")


def _is_visit(request: Request) -> bool:
    """Whether it is for a page in a tab of its own: no frame, image, script or fetch."""
    headers = request.headers
    dest, mode = headers.get("sec-fetch-dest", "document"), headers.get("sec-fetch-mode")
    return (dest, mode) == ("document", "navigate")


def _is_program(request: Request) -> bool:
    """Without a session: then it brings a token, or is told to sign in."""
    found: Visitor | None = request.state.visitor
    if found is not None:
        return found.session is None
    path: str = request.scope["path"]
    return path.startswith("/api/")


def _other_site() -> NotAuthorized:
    return NotAuthorized("another site has asked for this", field="origin")
