"""What a request that can't be served is answered with: a status, and the error as JSON or as a page."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardtier import errors
from guardtier.errors import GuardtierError
from guardtier_workers.console.access.paths import login_path
from guardtier_workers.console.access.problems import (
    PluginFailed,
    ProviderAway,
    TooLarge,
    TooManyTries,
    WrongHost,
)
from guardtier_workers.console.pages.page import page

#: The first that fits; anything else is 422: what was asked is wrong.
_STATUS: Mapping[type[GuardtierError], int] = {
    WrongHost: 421,
    TooManyTries: 429,
    TooLarge: 413,
    ProviderAway: 503,
    PluginFailed: 500,
    errors.NotAuthorized: 403,
    errors.UnreadableRecord: 409,
    errors.UnknownAction: 404,
    errors.UnknownFleet: 404,
    errors.UnknownGrant: 404,
    errors.UnknownDeadLetter: 404,
    errors.WrongState: 409,
    errors.DigestMismatch: 409,
    errors.ActionConflict: 409,
    errors.PolicyNotEverywhere: 503,
    errors.HaltNotEverywhere: 503,
    errors.GuardTimeout: 504,
    errors.TurnedAway: 503,
    errors.TierUnavailable: 503,
    errors.AnalysisFailed: 409,
}


def status_of(error: GuardtierError) -> int:
    """The HTTP status of an error. 401: nobody has signed in."""
    if isinstance(error, errors.NotAuthorized) and error.field in ("credentials", "approver"):
        return 401
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 422)


def refusal(request: Request, error: GuardtierError) -> Response:
    """The answer to a request that ended in this error."""
    status = status_of(error)
    response = _page_of(request, error, status) if _wants_page(request) else None
    if response is None:
        response = Response(error.to_json(), status, media_type="application/json")
    if isinstance(error, TooManyTries):
        response.headers["retry-after"] = str(error.limit)
    elif isinstance(error, errors.TurnedAway):
        response.headers["retry-after"] = str(ceil(error.retry_after))
    return response


def _wants_page(request: Request) -> bool:
    """Not a program, nor what a page's own script asks for."""
    accepted = request.headers.get("accept", "")
    return not (
        request.scope["path"].startswith(("/api/", "/metrics"))
        or accepted.startswith(("application/json", "text/event-stream"))
    )


def _page_of(request: Request, error: GuardtierError, status: int) -> Response:
    if status == 401 and request.scope["path"] != "/login":
        if request.headers.get("hx-request") == "true":  # a part of a page: all of it goes to sign in
            return Response(status_code=401, headers={"hx-redirect": login_path(request)})
        if request.method in ("GET", "HEAD"):
            return RedirectResponse(login_path(request), 303)
    return page(request, "error.html", status=status, error=error)
