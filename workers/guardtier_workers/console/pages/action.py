"""One action: as a page that can be linked to, as the panel beside the inbox, and what is folded of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from guardtier.errors import DigestMismatch, UnknownAction
from guardtier.store.records import Record
from guardtier_workers.clock import now_ms
from guardtier_workers.console.access.visitor import visitor_of
from guardtier_workers.console.answering.before import before
from guardtier_workers.console.console import console_of
from guardtier_workers.console.pages.page import page
from guardtier_workers.console.query import Query
from guardtier_workers.console.show.evidence import evidence_of, full_text, marks_of
from guardtier_workers.console.show.folding import part


class Gap(Query):
    """Which characters of which text. ``digest`` is that of the action that the page shows."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[0-9]{1,3})?$")]
    start: int = Field(ge=0, le=2**31)
    end: int = Field(ge=0, le=2**31)
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


async def action(request: Request) -> Response:
    return page(request, "action.html", here="inbox", **await _shown(request))


async def panel(request: Request) -> Response:
    return page(request, "_panel.html", **await _shown(request))


async def text(request: Request) -> Response:
    """The characters that a gap stands for, or the first of them and a smaller gap."""
    asked = Gap.read(request.query_params)
    record = await seen(request)
    if asked.digest != record.digest:
        raise DigestMismatch("the action has changed since you opened it: load the page again")
    found = full_text(record, asked.name)
    if found is None:
        raise UnknownAction(f"the action has no text {asked.name}", field="name")
    whole, paths = found
    pieces = part(whole, marks_of(record, whole, paths), asked.start, asked.end)
    return page(request, "_part.html", pieces=pieces, record=record, name=asked.name)


async def seen(request: Request) -> Record:
    """The record that the path names. Raises UnknownAction, in the same words, where there is none and
    where it is of a fleet that the visitor does not see; and InvalidAction.
    """
    visitor = visitor_of(request)
    action_id: str = request.path_params["id"]
    try:
        record = await console_of(request).records.get(action_id)
    except UnknownAction:
        raise _unknown(action_id) from None
    if not visitor.me.sees(record.fleet):
        raise _unknown(action_id)
    return record


def _unknown(action_id: str) -> UnknownAction:
    return UnknownAction(
        f"no action {action_id} in your fleets: never published, or past its retention", field="id"
    )


async def _shown(request: Request) -> dict[str, Any]:
    record = await seen(request)
    original = await console_of(request).records.original(record.id) if record.asked else b""
    evidence = evidence_of(record, original)
    now = now_ms()
    answering = before(record, visitor_of(request).me)
    return {"record": record, "evidence": evidence, "now": now, "before": answering}


ROUTES: tuple[BaseRoute, ...] = (
    Route("/actions/{id}", action),
    Route("/actions/{id}/panel", panel),
    Route("/actions/{id}/text", text),
)
