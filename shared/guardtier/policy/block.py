"""Block: why an action that is identical to a rejected one is refused at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from guardtier.feedback import MOST_REASON

MOST_BY = 512  #: characters


class Block(BaseModel):
    """``id`` was rejected by ``by`` for this reason; the same again is refused until then (ms since 1970).

    Of the reason it has what a model is told of it, so its JSON is never longer than 7,000 bytes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str = Field(default="", max_length=MOST_REASON)
    by: str = Field(max_length=MOST_BY)
    id: str
    until: int = Field(ge=0)

    @classmethod
    def after(cls, action_id: str, by: Sequence[str], reason: str, until: int) -> Self:
        """The block that a rejection leaves."""
        return cls(reason=reason[:MOST_REASON], by=", ".join(by)[:MOST_BY], id=action_id, until=until)

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self)

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """What :meth:`to_json` gave; None for b"". Raises ValueError where it can't be read."""
        return cls.model_validate_json(raw) if raw else None


class Spread(BaseModel):
    """What the other partitions are told of a block: whose action, and which, is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fleet: str
    digest: str
    block: Block
