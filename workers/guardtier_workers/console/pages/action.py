"""One action: as a page that can be linked to, as the panel beside the inbox, and what is folded of it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import DigestMismatch, UnknownAction
from guardtier.store.records import Record
from guardtier_workers.clock import now_ms
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.answering.before import before
from guardtier_workers.console.answering.looking import seen_by
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.query import Query
from guardtier_workers.console.show.evidence import evidence_of, full_text, marks_of
from guardtier_workers.console.show.folding import part
from guardtier_workers.console.story.conversation import address


class Gap(Query):
    """Which characters of which text. ``digest`` is that of the action that the page shows."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[0-9]{1,3})?$")]
    start: int = Field(ge=0, le=2**31)
    end: int = Field(ge=0, le=2**31)
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


async def action(request: Request) -> Response:
    return await _page(request, "action.html")


async def panel(request: Request) -> Response:
    return await _page(request, "_panel.html")


async def text(request: Request) -> Response:
    """The characters that a gap stands for, or the first of them and a smaller gap."""
    asked = Gap.read(request.query_params)
    record = await seen(request)
    if asked.digest != record.digest:
        raise DigestMismatch("the action has changed since you opened it: load the page again")

    def made() -> Response:
        found = full_text(record, asked.name)
        if found is None:
            raise UnknownAction(f"the action has no text {asked.name}", field="name")
        whole, paths = found
        pieces = part(whole, marks_of(record, whole, paths), asked.start, asked.end)
        return page(request, "_part.html", pieces=pieces, record=record, name=asked.name)

    return await asyncio.to_thread(made)


async def seen(request: Request) -> Record:
    """The record that the path names. Raises UnknownAction where the visitor does not see it."""
    return await seen_by(visitor_of(request).me, console_of(request), request.path_params["id"])


async def _page(request: Request, template: str) -> Response:
    """Made in a thread: a megabyte of hostile arguments takes 0.4 s, in which others are served."""
    record = await seen(request)
    original = await console_of(request).records.original(record.id) if record.asked else b""

    def made() -> Response:
        return page(
            request,
            template,
            here="inbox",
            record=record,
            evidence=evidence_of(record, original),
            now=now_ms(),
            before=before(record, visitor_of(request).me),
            address_of=address,
        )

    return await asyncio.to_thread(made)


ROUTES: tuple[BaseRoute, ...] = (
    Route("/actions/{id}", action),
    Route("/actions/{id}/panel", panel),
    Route("/actions/{id}/text", text),
)
