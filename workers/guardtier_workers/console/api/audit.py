"""``/history``, ``/audit``, an action's story, and conversations: what has happened."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from guardtier.action import LABEL
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.query import Query
from guardtier_workers.console.story.audit import AuditPage, AuditQuery
from guardtier_workers.console.story.conversation import Conversation
from guardtier_workers.console.story.figures import Figures, FiguresQuery
from guardtier_workers.console.story.history import HistoryPage, HistoryQuery
from guardtier_workers.console.story.timeline import Story


class StoryQuery(Query):
    """``cursor``: that of the story before, to look on."""

    cursor: Annotated[str, StringConstraints(max_length=60)] = ""


class ConversationQuery(Query):
    """A conversation is named by its agent's framework, so its name may hold slashes."""

    conversation: Annotated[str, StringConstraints(pattern=LABEL)]


async def history(call: Call) -> HistoryPage:
    return await call.console.stories.history(call.query, call.visitor.me)


async def audit(call: Call) -> AuditPage:
    return await call.console.stories.audit(call.query, call.visitor.me)


async def action_story(call: Call) -> Story:
    return await call.console.stories.timeline(call.path("id"), call.visitor.me, cursor=call.query.cursor)


async def figures(call: Call) -> Figures:
    return await call.console.stories.figures(call.query, call.visitor.me)


async def conversation(call: Call) -> Conversation:
    fleet, name = call.path("fleet"), call.query.conversation
    return await call.console.stories.conversation(fleet, name, call.visitor.me)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/history",
        history,
        HistoryPage,
        "Decided actions, the newest first",
        HistoryQuery,
        tag="audit",
    ),
    Endpoint(
        "GET",
        "/audit",
        audit,
        AuditPage,
        "The audit streams, the newest line first",
        AuditQuery,
        tag="audit",
    ),
    Endpoint(
        "GET",
        "/actions/{id}/story",
        action_story,
        Story,
        "The whole story of one action",
        StoryQuery,
        tag="audit",
    ),
    Endpoint("GET", "/figures", figures, Figures, "Decisions over time", FiguresQuery, tag="audit"),
    Endpoint(
        "GET",
        "/conversations/{fleet}",
        conversation,
        Conversation,
        "The last actions of one conversation, and its labels",
        ConversationQuery,
        tag="audit",
    ),
)
