"""Cursor: where the next page of a ZSET of actions begins."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from guardtier.errors import InvalidAction

_CURSOR = re.compile(r"(\d{1,16}):([A-Za-z0-9_.-]{1,80})")


class Cursor(NamedTuple):
    """The last action that a page looked at: its score (ms since 1970) and its id."""

    score: int
    action_id: str

    def __str__(self) -> str:
        return f"{self.score}:{self.action_id}"

    @classmethod
    def read(cls, text: str) -> Self:
        """What a page has given. Raises InvalidAction for anything else."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise InvalidAction("after must be what the page before it gave", field="after")
        return cls(int(found[1]), found[2])
