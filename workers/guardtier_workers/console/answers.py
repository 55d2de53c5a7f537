"""What a request that can't be served is answered with: a status, and the error as JSON or as a page."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardtier import errors
from guardtier.errors import GuardtierError
from guardtier_workers.console.pages.page import page

#: The first that fits; anything else is 422: what was asked is wrong.
_STATUS: Mapping[type[GuardtierError], int] = {
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
    if request.url.path.startswith("/api/") or request.headers.get("accept", "").startswith(
        "application/json"
    ):
        return Response(error.to_json(), status, media_type="application/json")
    if status == 401 and request.method == "GET" and request.url.path != "/login":
        return RedirectResponse("/login", 303)
    return page(request, "error.html", status=status, error=error)
