"""Workers and queues: who works, what waits to be worked on, what was given up."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.action import ACTION_ID
from guardtier.look import Me
from guardtier.store.dead import READ, DeadLetter, DeadPage
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.api.dead import LettersAfter, is_shown, letter_view
from guardtier_workers.console.api.workers import FleetsAfter, page_of, queue_view, worker_view
from guardtier_workers.console.console import Console, console_of
from guardtier_workers.console.pages.page import page

KINDS = {
    "analyzer": "rate what agents ask for",
    "policy": "decide, and judge answers",
}
QUEUES = {
    "actions": "what its agents have asked, for the analyzer workers",
    "assessed": "rated actions, for the policy workers",
    "answers": "what approvers have said, for the policy workers",
    "outbox": "what is left to be done in other places: notices, grants, blocks, halts",
    "edits": "edited actions, to be rated once more",
    "strays": "what was sent to fleets that don't exist",
}


async def workers(request: Request) -> Response:
    me, console = visitor_of(request).me, console_of(request)
    letters = await _letters(console, me, "")
    shown = await _live(console, me, FleetsAfter.read(request.query_params))
    return page(request, "workers.html", here="workers", **shown, **_told(me, letters))


async def live(request: Request) -> Response:
    """The part that the page asks for again and again."""
    me = visitor_of(request).me
    query = FleetsAfter.read(request.query_params)
    return page(request, "_workers.html", **await _live(console_of(request), me, query))


async def dead(request: Request) -> Response:
    """More dead letters."""
    me = visitor_of(request).me
    query = LettersAfter.read(request.query_params)
    letters = await _letters(console_of(request), me, query.after or "")
    return page(request, "_dead.html", **_told(me, letters))


async def _live(console: Console, me: Me, query: FleetsAfter) -> dict[str, Any]:
    readings = console.ops.readings
    names = [fleet for fleet in await readings.fleets() if me.sees(fleet)]
    shown, after = page_of(names, query)
    queues = [*await readings.tier_queues(), *await readings.fleet_queues(shown)]
    found = [worker_view(one) for one in await readings.workers()]
    return {
        "now": await readings.now_ms(),
        "workers": found,
        "missing": [kind for kind in KINDS if not any(one.kind == kind for one in found)],
        "kinds": KINDS,
        "steward": await readings.steward(),
        "pools": await readings.pools(),
        "queues": [queue_view(one) for one in queues],
        "queue_words": QUEUES,
        "after": after,
        "begin": query.after or "",
    }


async def _letters(console: Console, me: Me, after: str) -> DeadPage:
    return await console.ops.readings.dead_page(lambda one: is_shown(one, me), after=after, limit=READ)


def _told(me: Me, letters: DeadPage) -> dict[str, Any]:
    return {
        "letters": [(letter_view(one), _can_retry(me, one)) for one in letters.letters],
        "is_action": lambda text: re.fullmatch(ACTION_ID, text) is not None,
        "dead_after": letters.after,
    }


def _can_retry(me: Me, letter: DeadLetter) -> bool:
    return not letter.why_not and me.can("halt", letter.fleet or "*")


ROUTES: tuple[BaseRoute, ...] = (
    Route("/workers", workers, methods=["GET"]),
    Route("/workers/live", live, methods=["GET"]),
    Route("/workers/dead", dead, methods=["GET"]),
)
