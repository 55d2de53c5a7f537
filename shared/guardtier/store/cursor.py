"""Cursor: where the next page of a ZSET of actions begins, and what comes behind it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from guardtier.errors import InvalidAction
from guardtier.store.connection import AnyRedis

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


async def behind(redis: AnyRedis, key: str, after: str, most: int) -> tuple[list[Cursor], bool]:
    """What comes behind the cursor ("": from the start), ``most`` at the most, and whether there is more.

    By score and not by rank, in one command: whatever leaves the set meanwhile would move the ranks, and
    others would be left out. Raises InvalidAction for what is no cursor.
    """
    cursor = Cursor.read(after) if after else Cursor(0, "")
    skipped = 0
    while True:
        found = await redis.zrange(
            key,
            cursor.score,  # that of others too, of which some have been seen
            "+inf",  # type: ignore[arg-type]
            byscore=True,
            withscores=True,
            offset=skipped,
            num=most + 1,
        )
        listed = [
            Cursor(int(score), name.decode(errors="backslashreplace")) for name, score in found[:most]
        ]
        fresh, more = [at for at in listed if at > cursor], len(found) > most
        if fresh or not more:
            return fresh, more
        skipped += most
