"""Budget: how much an agent may do before it is halted."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Budget(BaseModel):
    """What an agent of the fleet may do. Beyond it the agent is halted, until somebody resumes it.

    ``actions_a_minute``: how many it may ask for in a minute of the clock. ``rejected_in_a_row``: so many
    rejections (by policy or people) with no release or approval between them. ``then``: what becomes of
    what it asks for while it is halted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions_a_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    rejected_in_a_row: int | None = Field(default=None, ge=1, le=10_000)
    then: Literal["park", "reject"] = "park"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.actions_a_minute is None and self.rejected_in_a_row is None:
            raise ValueError("a budget needs actions_a_minute, rejected_in_a_row or both")
        return self
