"""Endpoint: one operation of the API: what it takes, what it gives, and how both are checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from guardtier import ApproverClient
from guardtier.action import ACTION_ID, LABEL, NAME
from guardtier.errors import ConfigError, GuardtierError, InvalidAction
from guardtier_workers.console.access.forgery import check_change
from guardtier_workers.console.access.visitor import Visitor, client_of, visitor_of
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.console import Console, console_of
from guardtier_workers.console.query import Query, checked

log = logging.getLogger(__name__)


PREFIX = "/api/v1"
MAX_BODY = 2 * 1024 * 1024  #: bytes of a request
#: Parameters of paths, by their names.
PARAMETERS: Mapping[str, str] = {"id": ACTION_ID, "fleet": NAME, "agent": LABEL}


class Nothing(Query):
    """Of an endpoint without parameters."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked. ``body`` and ``query`` are of the endpoint's models."""

    request: Request
    visitor: Visitor
    console: Console
    query: Any
    body: Any

    @property
    def tier(self) -> ApproverClient:
        """The tier, in the visitor's name. Raises NotAuthorized for somebody who may look alone."""
        return client_of(self.request)

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])


@dataclass(frozen=True)
class Endpoint:
    """``handler`` returns an instance of ``returns``; a GuardtierError that it raises becomes a status."""

    method: str
    path: str  #: below /api/v1, ``/actions/{id}``; what may stand in braces is in ``PARAMETERS``
    handler: Callable[[Call], Awaitable[BaseModel]]
    returns: type[BaseModel]
    summary: str
    query: type[Query] = Nothing
    body: type[BaseModel] | None = None
    tag: str = "actions"
    parameters: Mapping[str, str] = field(default_factory=dict)  #: more patterns, by name

    @cached_property
    def patterns(self) -> dict[str, str]:
        """Of the parameters of its path."""
        known = {**PARAMETERS, **self.parameters}
        return {name: known[name] for name in known if f"{{{name}}}" in self.path}

    def route(self) -> Route:
        return Route(PREFIX + self.path, self._serve, methods=[self.method], name=self.operation)

    @property
    def operation(self) -> str:
        """The ``operationId``."""
        return self.handler.__name__

    async def _serve(self, request: Request) -> Response:
        try:
            check_change(request)
            call = Call(
                request,
                visitor_of(request),
                console_of(request),
                self.query.read(request.query_params),
                await _body(self.body, request) if self.body else None,
            )
            _check_path(request, self.patterns)
            made = await self.handler(call)
        except GuardtierError as error:
            return refusal(request, error)
        return Response(made.__pydantic_serializer__.to_json(made), media_type="application/json")


def _check_path(request: Request, patterns: Mapping[str, str]) -> None:
    for name, pattern in patterns.items():
        if re.fullmatch(pattern, request.path_params[name]) is None:
            raise InvalidAction(f"{name} in the path must match {pattern}", field=name)


async def _body(model: type[BaseModel], request: Request) -> BaseModel:
    raw = bytearray()
    try:
        async for part in request.stream():
            raw += part
            if len(raw) > MAX_BODY:
                raise ConfigError(f"a request has at most {MAX_BODY} bytes", field="body", limit=MAX_BODY)
    except ClientDisconnect as error:
        raise ConfigError("the request broke off", field="body") from error
    return read_body(model, bytes(raw))


def read_body(model: type[BaseModel], raw: bytes) -> BaseModel:
    """A request's body. Raises ConfigError that names what is wrong with it."""
    try:
        return checked(model, orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"the body is no JSON: {error}", field="body") from error
