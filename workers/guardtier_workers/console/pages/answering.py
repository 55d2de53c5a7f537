"""Parts of pages that answering needs: the form of an edit, and the preview of many answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.action import ACTION_ID
from guardtier.answer import Choice
from guardtier.errors import GuardtierError
from guardtier.look import Me
from guardtier.store.records import Record
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.answering.batch import Preview, Room, chunks, gone, preview
from guardtier_workers.console.answering.before import before
from guardtier_workers.console.answering.editable import fields_of, shown_json
from guardtier_workers.console.answering.looking import partition_in
from guardtier_workers.console.api.answers import MOST
from guardtier_workers.console.console import Console, console_of
from guardtier_workers.console.pages.action import seen
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.query import Query


class Many(Query):
    """Which actions, and what is to be said of them."""

    choice: Choice
    id: tuple[Annotated[str, StringConstraints(pattern=ACTION_ID)], ...] = Field(
        min_length=1, max_length=MOST
    )


async def edit(request: Request) -> Response:
    """The form of an edit; or why there is none."""
    record = await seen(request)
    offer = before(record, visitor_of(request).me).edit
    arguments = record.action.arguments if offer.can else {}
    fields = await asyncio.to_thread(fields_of, arguments)
    whole = "" if fields or not offer.can else await asyncio.to_thread(shown_json, arguments)
    return page(request, "_edit.html", record=record, offer=offer, fields=fields, whole=whole)


async def batch(request: Request) -> Response:
    """Every action as it stands now, and what the answer would do to it."""
    visitor, console = visitor_of(request), console_of(request)
    asked = Many.read(request.query_params)
    items: list[Preview] = []
    room = Room()
    for ids in chunks(list(dict.fromkeys(asked.id))):
        items += await _previews(console, visitor.me, asked.choice, ids, room)
    return await asyncio.to_thread(
        page,
        request,
        "_batch.html",
        items=items,
        choice=asked.choice,
        can=sum(item.offer.can for item in items),
        reason_required=any(item.reason_required for item in items if item.offer.can),
    )


async def _previews(
    console: Console, me: Me, choice: Choice, ids: Sequence[str], room: Room
) -> list[Preview]:
    known = [action_id for action_id in ids if _is_here(action_id, console)]
    async with console.previews:
        read = await console.records.many(known)
        found = {record.id: record for record in read if me.sees(record.fleet)}

        def made() -> list[Preview]:
            return [room.fitted(_preview(found.get(one), one, me, choice)) for one in ids]

        return await asyncio.to_thread(made)


def _preview(record: Record | None, action_id: str, me: Me, choice: Choice) -> Preview:
    return gone(action_id) if record is None else preview(record, me, choice)


def _is_here(action_id: str, console: Console) -> bool:
    try:
        partition_in(action_id, console)
    except GuardtierError:
        return False
    return True


ROUTES: tuple[BaseRoute, ...] = (
    Route("/actions/{id}/edit", edit),
    Route("/answering/batch", batch),
)
