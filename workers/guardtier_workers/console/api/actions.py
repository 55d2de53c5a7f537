"""``/actions/{id}``: one action, in any state. What is parked: ``waiting.py``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from guardtier.readmodel import view_of
from guardtier_workers.console.answering.looking import seen_by
from guardtier_workers.console.api.endpoint import Call, Endpoint


class Action(BaseModel):
    """The JSON view of docs/read-model.md."""

    model_config = ConfigDict(extra="allow")

    id: str
    state: str
    fleet: str
    digest: str


async def one_action(call: Call) -> Action:
    record = await seen_by(call.visitor.me, call.console, call.path("id"))
    view: dict[str, Any] = view_of(record)
    return Action(**view)


ENDPOINTS = (Endpoint("GET", "/actions/{id}", one_action, Action, "One action, in any state"),)
