"""``/events``: tells an open page what changes, for as long as its visitor may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from time import monotonic
from typing import Any, Final

import orjson
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import InvalidAction
from guardtier.look import Me
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.access.watch import Watch
from guardtier_workers.console.answers import refusal
from guardtier_workers.console.board.board import Board
from guardtier_workers.console.board.change import Change
from guardtier_workers.console.board.filters import Filter, Wanted
from guardtier_workers.console.console import console_of

PING_SECONDS: Final = 5.0
SEND_SECONDS: Final = 20.0  #: a page that takes nothing for so long is let go

_SENT = "sent"  #: what a change's cache has under this: the event's very bytes


async def events(request: Request) -> Response:
    visitor, console = visitor_of(request), console_of(request)
    wanted = Filter.read(request.query_params)
    if console.board.is_crowded(visitor.me):
        error = InvalidAction("too many of your pages are open: close some of them", field="events")
        response = refusal(request, error)
        response.status_code = 429
        return response
    told = _told(console.board, wanted, visitor.me, Watch(console, visitor))
    return EventSourceResponse(told, ping=0, send_timeout=SEND_SECONDS)


async def rows(request: Request) -> Response:
    """What a page compares itself with when its stream is back."""
    me, board = visitor_of(request).me, console_of(request).board
    wanted = Wanted.read(request.query_params)
    found, more = board.page(wanted, me, limit=wanted.limit, after=wanted.behind)
    body = board.rows.body(found, {"more": more, **_state(board, me)})
    return Response(body, media_type="application/json")


async def _told(board: Board, wanted: Filter, me: Me, watch: Watch) -> AsyncIterator[bytes]:
    with board.feed(wanted, me) as feed:
        yield _event("hello", _state(board, me))
        looked = monotonic()
        while not feed.has_ended:
            change = await feed.next(PING_SECONDS)
            if monotonic() - looked >= PING_SECONDS:
                if not await watch.holds():
                    yield _event("over", {})
                    return
                looked = monotonic()
            yield _of_change(board, change) if change else _event("ping", {"live": board.is_live})


def _of_change(board: Board, change: Change) -> bytes:
    found = change.cache.get(_SENT)
    if found is None:
        body = board.rows.change(change)
        name = b"reload" if change.must_reload else b"changes"
        change.cache[_SENT] = found = b"event: %s\ndata: %s\n\n" % (name, body)
    return found


def _state(board: Board, me: Me) -> dict[str, Any]:
    """``cut``: more is parked than the console holds; only the most urgent are shown."""
    counts = board.counts(me)
    return {"live": board.is_live, "cut": board.is_cut, "total": sum(counts.values()), "counts": counts}


def _event(name: str, body: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(body))


ROUTES: tuple[BaseRoute, ...] = (Route("/events", events), Route("/events/rows", rows))
