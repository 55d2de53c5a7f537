"""Every endpoint of the API, and the document that describes them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import UnknownAction
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.api import (
    actions,
    answers,
    audit,
    dead,
    edits,
    fleets,
    grants,
    halts,
    me,
    policies,
    policy_file,
    remembering,
    waiting,
    workers,
)
from guardtier_workers.console.api.endpoint import PREFIX, Endpoint
from guardtier_workers.console.api.openapi import document

ENDPOINTS: tuple[Endpoint, ...] = (
    *me.ENDPOINTS,
    *waiting.ENDPOINTS,
    *actions.ENDPOINTS,
    *answers.ENDPOINTS,
    *audit.ENDPOINTS,
    *dead.ENDPOINTS,
    *edits.ENDPOINTS,
    *fleets.ENDPOINTS,
    *grants.ENDPOINTS,
    *halts.ENDPOINTS,
    *policies.ENDPOINTS,
    *policy_file.ENDPOINTS,
    *remembering.ENDPOINTS,
    *workers.ENDPOINTS,
)


@cache
def described() -> bytes:
    """The document, made when first asked for: it takes longer than all else of a console's start."""
    return orjson.dumps(document(ENDPOINTS, version("guardtier")))


def routes() -> list[BaseRoute]:
    async def openapi(_request: Request) -> Response:
        return Response(described(), media_type="application/json")

    async def unknown(request: Request) -> Response:
        return refusal(request, UnknownAction(f"the API has no {request.url.path[:200]}", field="path"))

    return [
        Route(f"{PREFIX}/openapi.json", openapi),
        *(one.route() for one in ENDPOINTS),
        Route("/api/{rest:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
