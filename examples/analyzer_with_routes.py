"""An analyzer with pages of its own in the console. ``analyzer_with_routes.toml`` names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardtier import ActionEvent, SecurityRisk
from guardtier.analyzers import SecurityAnalyzer

if TYPE_CHECKING:
    from starlette.routing import Route


class FreezeAnalyzer(SecurityAnalyzer):
    """HIGH for a deployment by a fleet whose releases are frozen; says nothing of any other action."""

    def __init__(self, *, frozen: list[str]) -> None:
        self.frozen = frozen

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        deploys = "deploy" in str(action.arguments)
        return SecurityRisk.HIGH if deploys and action.fleet in self.frozen else SecurityRisk.UNKNOWN

    @staticmethod
    def routes(*, frozen: list[str]) -> list[Route]:
        """``GET /api/v1/analyzers/freeze/fleets``: the frozen ones, as far as the visitor sees them."""
        # The console alone calls this: starlette is installed there.
        from starlette.requests import Request
        from starlette.responses import JSONResponse
        from starlette.routing import Route

        async def fleets(request: Request) -> JSONResponse:
            visitor = request.state.visitor  # a guardtier.look.Me; everything else is up to you
            return JSONResponse({"frozen": [fleet for fleet in frozen if visitor.sees(fleet)]})

        return [Route("/fleets", fleets)]
