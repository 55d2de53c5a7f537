"""Budget: how much one agent may do before it is halted."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Budget(BaseModel):
    """How many actions a minute, and how many rejections in a row, an agent has until it is halted.

    ``actions_a_minute`` counts all that it asks, over a sliding minute. ``rejected_in_a_row`` counts what
    a person or a policy rejected since a person approved something of it last; what is released in
    between begins no new row, or a harmless read between two attempts would hide them. Both are counted
    in each partition. ``then``: what becomes of everything new of a halted agent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions_a_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    rejected_in_a_row: int | None = Field(default=None, ge=1, le=1_000)
    then: Literal["park", "reject"] = "park"

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.actions_a_minute is None and self.rejected_in_a_row is None:
            raise ValueError("give actions_a_minute, rejected_in_a_row, or both")
        return self
