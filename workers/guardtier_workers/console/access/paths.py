"""Paths: where somebody goes after signing in. Own pages alone: a link can't send them elsewhere."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from starlette.requests import Request

#: A browser takes // and /\ for another site, and leaves tabs and line ends out before it looks.
_OWN = re.compile(r"/(?!/)[!-\[\]-~]{0,2000}")
#: Where nobody wants to go back to.
_NOT_BACK = ("/login", "/logout", "/enter", "/oidc/", "/api/", "/static/", "/events")
HOME = "/"


def own_path(given: str) -> str:
    """This path of ours with its query; the inbox for anything else."""
    if _OWN.fullmatch(given) is None or given.startswith(_NOT_BACK):
        return HOME
    return given


def path_of(request: Request) -> str:
    """The page that was asked for. Of a part of a page: the page."""
    if request.headers.get("hx-request") == "true":
        return own_path(_within(request.headers.get("hx-current-url", "")))
    query = request.scope.get("query_string", b"").decode("latin-1")
    return own_path(
        quote(request.scope["path"], safe="/-._~!$&'()+*,;=:@") + (f"?{query}" if query else "")
    )


def login_path(request: Request) -> str:
    """The login page that leads back to what was asked for. From an open page: it says why it came."""
    wanted = path_of(request)
    told = [] if wanted == HOME else [f"next={quote(wanted, safe='')}"]
    if request.headers.get("hx-request") == "true":
        told.append("ended=1")
    return f"/login?{'&'.join(told)}" if told else "/login"


def _within(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return HOME
    return parts.path + (f"?{parts.query}" if parts.query else "")
