"""Plug-ins: what analyzers serve below ``/api/v1/analyzers/NAME/``, behind the gate and no further.

An analyzer's class may have ``routes``: a static function that takes the analyzer's options and returns
Starlette routes. Each request that they are given says in ``request.state.visitor`` who has sent it (a
:class:`guardtier.look.Me`), and has neither their credentials nor anything of the console. What they answer
runs no script. They are called in the console's process, where no analyzer rates anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardtier.action import is_name
from guardtier.analyzers.member import MemberSettings
from guardtier.analyzers.options import checked
from guardtier.analyzers.registry import available, find
from guardtier.errors import GuardtierError, GuardTimeout
from guardtier.settings import Settings
from guardtier_workers.console.access.forgery import CSRF_HEADER, SEAT_HEADER, check_change
from guardtier_workers.console.access.problems import PluginFailed
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.api.endpoint import PREFIX

log = logging.getLogger(__name__)

SECONDS: Final = 30.0  #: for one answer
#: Not for a plug-in to see: they would let it act in somebody's name.
_KEPT_BACK: Final = frozenset({b"cookie", b"authorization", CSRF_HEADER.encode(), SEAT_HEADER.encode()})
#: Of what a plug-in answers, whatever it says itself: it is data, and no page of the console's.
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cache-control": "no-store",
}
#: Of the server, for a request; the rest is the console's.
_SCOPE: Final = (
    "type",
    "asgi",
    "http_version",
    "method",
    "scheme",
    "path",
    "raw_path",
    "root_path",
    "query_string",
    "client",
    "server",
)


def plugin_routes(settings: Settings) -> list[BaseRoute]:
    """The routes of the analyzers that the settings name. One that can't be loaded has none."""
    found: list[BaseRoute] = []
    for name in settings.analyzers:
        member = settings.analyzer.get(name, MemberSettings())
        if _is_ours(name, member.use):
            continue
        try:
            build = find(name, use=member.use)
            routes = getattr(build, "routes", None)
            own = list(routes(**checked(name, build, member.options))) if callable(routes) else []
        except Exception as error:  # as far away as its pool may be: the console goes on without it
            log.warning("analyzer %r has no pages here: %s", name, error)
            continue
        if own:
            called = name if is_name(name) else str(getattr(build, "name", "") or build.__name__)
            found.append(Mount(f"{PREFIX}/analyzers/{called}", app=_Fence(called, own)))
    return found


def _is_ours(name: str, use: str | None) -> bool:
    """Those that come with guardtier have no routes: they are not loaded to find that out."""
    where = use or available().get(name, name)
    return where.startswith("guardtier.")


class _Fence:
    """Serves the routes of one analyzer."""

    def __init__(self, name: str, routes: Iterable[BaseRoute]) -> None:
        self._name = name
        self._app: ASGIApp = ExceptionMiddleware(Router(list(routes), redirect_slashes=False))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        begun = False

        async def within(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                del headers["set-cookie"]
                headers.update(_HEADERS)
            await send(message)

        try:
            me = visitor_of(request).me
            check_change(request)
            await self._serve(_bare(scope) | {"state": {"visitor": me}}, receive, within)
        except GuardtierError as error:
            if begun:
                raise
            await refusal(request, error)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises GuardtierError where the plug-in fails, or takes too long."""
        try:
            async with asyncio.timeout(SECONDS):
                await self._app(scope, receive, send)
        except TimeoutError as error:
            raise GuardTimeout(f"analyzer {self._name} took longer than {SECONDS:g} s") from error
        except GuardtierError:
            raise
        except Exception as error:
            log.exception("analyzer %s failed at %s", self._name, scope["path"])
            raise PluginFailed(f"analyzer {self._name} failed: its error is in the log") from error


def _bare(scope: Scope) -> dict[str, Any]:
    """The request, without what is the console's or the visitor's own."""
    bare = {name: scope[name] for name in _SCOPE if name in scope}
    bare["headers"] = [(name, value) for name, value in scope["headers"] if name not in _KEPT_BACK]
    return bare
