"""Script: the demo's tool calls, and what is said of them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from guardtier.action import ActionEvent
from guardtier.policy.grants import Remember


class Reaction(BaseModel):
    """What the scripted approvers say of a call that is parked. ``people``: how many have to say it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["approve", "reject", "edit", "leave"]
    reason: str = ""
    people: Literal[1, 2] = 1
    remember: Remember | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)


class Call(BaseModel):
    """One line of ``actions.jsonl``. ``by``: what said before decides it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fleet: str
    agent: str
    conversation: str
    tool_name: str
    arguments: dict[str, Any]
    summary: str = ""
    security_risk: str = "UNKNOWN"
    annotations: dict[str, Any] | None = None
    answer: Reaction = Field(default=Reaction(do="leave"))
    by: Literal["grant", "block"] | None = None

    def to_action(self) -> ActionEvent:
        return ActionEvent.from_value(self.model_dump(exclude={"answer", "by"}))


def calls() -> list[Call]:
    lines = (files(__package__) / "actions.jsonl").read_bytes().splitlines()
    return [Call.model_validate(orjson.loads(line)) for line in lines if line.strip()]
