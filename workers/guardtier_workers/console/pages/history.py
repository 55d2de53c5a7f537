"""History: decided actions, the whole story of one, and conversations."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import GuardtierError
from guardtier.verdict import Outcome
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.answers import status_of
from guardtier_workers.console.api.audit import ConversationQuery, StoryQuery
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.query import by_name, checked
from guardtier_workers.console.story import step
from guardtier_workers.console.story.audit import AuditQuery
from guardtier_workers.console.story.conversation import address
from guardtier_workers.console.story.history import USUAL, HistoryPage, HistoryQuery
from guardtier_workers.console.story.walk import MOST_LINES
from guardtier_workers.console.story.words import KINDS

#: How times are written, and where conversations are; all templates of this part have them.
TOOLS: dict[str, Any] = {
    "clock": step.clock,
    "lasting": step.lasting,
    "conversation_address": address,
}
#: Audit lines that are read at once beside an action, where the index has none of it: 60 ms.
_LINES_OF_PART = 5_000


async def history(request: Request) -> Response:
    """The search, and what it found. What can't be searched for is said above the form."""
    me = visitor_of(request).me
    given = by_name(request.query_params)
    try:
        query = HistoryQuery.read(request.query_params)
        found = await console_of(request).stories.history(query, me)
    except GuardtierError as error:
        if status_of(error) not in (422, 503):
            raise
        return _shown(request, given, None, error)
    return _shown(request, given, found, None)


def _shown(
    request: Request, given: dict[str, list[str]], found: HistoryPage | None, wrong: GuardtierError | None
) -> Response:
    following = {name: values for name, values in given.items() if name != "cursor"}
    is_part = request.headers.get("hx-request") == "true"
    status = 200 if wrong is None else status_of(wrong)
    return page(
        request,
        "_history.html" if is_part and wrong is None else "history.html",
        status=status,
        here="history",
        given=given,
        found=found,
        wrong=wrong,
        outcomes=[one.value for one in Outcome],
        fleets=console_of(request).stories.fleets(visitor_of(request).me),
        usual=[one.value for one in USUAL],
        next_query=urlencode(following | {"cursor": found.cursor}, doseq=True)
        if found and found.cursor
        else "",
        **TOOLS,
    )


async def audit(request: Request) -> Response:
    """Every line, not of decisions alone: halts, policies, refusals."""
    me = visitor_of(request).me
    query = AuditQuery.read(request.query_params)
    found = await console_of(request).stories.audit(query, me)
    following = query.model_dump(mode="json", exclude_defaults=True) | {"cursor": found.cursor}
    is_part = request.headers.get("hx-request") == "true"
    return page(
        request,
        "_audit.html" if is_part else "audit.html",
        here="history",
        tab="audit",
        query=query,
        found=found,
        kinds=KINDS,
        fleets=console_of(request).stories.fleets(me),
        next_query=urlencode(following) if found.cursor else "",
        **TOOLS,
    )


async def story(request: Request) -> Response:
    """The page of one action's story."""
    return await _story(request, "story.html", most=MOST_LINES)


async def timeline(request: Request) -> Response:
    """The same as a part of the action's page, or what follows where it was cut."""
    return await _story(request, "_story.html", most=_LINES_OF_PART)


async def _story(request: Request, template: str, *, most: int) -> Response:
    me, console = visitor_of(request).me, console_of(request)
    query = StoryQuery.read(request.query_params)
    told = await console.stories.timeline(request.path_params["id"], me, cursor=query.cursor, most=most)
    return page(request, template, here="history", story=told, is_first=not query.cursor, **TOOLS)


async def conversation(request: Request) -> Response:
    """The page of one conversation."""
    me, fleet = visitor_of(request).me, request.path_params["fleet"]
    named = request.path_params.get("conversation") or request.query_params.get("conversation", "")
    name = checked(ConversationQuery, {"conversation": named}).conversation
    told = await console_of(request).stories.conversation(fleet, name, me)
    return page(request, "conversation.html", here="history", told=told, but="", **TOOLS)


async def conversation_of(request: Request) -> Response:
    """What else the conversation of an action did, as a part of the action's page."""
    me, action_id = visitor_of(request).me, request.path_params["id"]
    told = await console_of(request).stories.beside(action_id, me)
    return page(request, "_turns.html", told=told, but=action_id, **TOOLS)


ROUTES: tuple[BaseRoute, ...] = (
    Route("/history", history),
    Route("/audit", audit),
    Route("/actions/{id}/story", story),
    Route("/actions/{id}/timeline", timeline),
    Route("/actions/{id}/conversation", conversation_of),
    Route("/conversations/{fleet}", conversation),
    Route("/conversations/{fleet}/{conversation:path}", conversation),
)
