"""Open actions: what one agent has asked and not yet finished, read a page at a time.

Open is what is assessed, parked, or approved and not yet redeemed. The list is kept by the scripts;
the records say what is true, so what is over is left out of a page and named, to be taken off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from guardtier.redacted import has_marks
from guardtier.state import State
from guardtier.store.connection import AnyRedis
from guardtier.store.cursor import Cursor, behind
from guardtier.store.keys import Keys

PAGE = 100  #: actions that one page looks at
CHUNK = 10  #: records of one round trip: a record may hold 1 MiB
PAGE_BYTES = 128 * 1024  #: of actions in one page; a page that has reached them ends there
MOST_BYTES = 16 * 1024  #: an action that is longer is listed by its id alone, as one that was redacted is

_OPEN = frozenset({State.ASSESSED, State.PARKED, State.APPROVED})


@dataclass(frozen=True, slots=True)
class Page:
    """``items`` are for the agent, ``over`` are the ids that the list still had, ``after`` is the cursor
    of the next page; None: there is none.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    after: str | None = None

    def to_json(self) -> bytes:
        return orjson.dumps({"open": self.items, "after": self.after})


async def open_page(
    redis: AnyRedis, keys: Keys, *, fleet: str, agent: str, conversation: str | None, after: str
) -> Page:
    """One page of an agent's open actions in one partition, the first to be forgotten first.

    Raises InvalidAction for a cursor that no page has given.
    """
    found, more = await behind(redis, keys.open(fleet, agent), after, PAGE)
    page, room = Page(), PAGE_BYTES
    for start in range(0, len(found), CHUNK):
        chunk = found[start : start + CHUNK]
        for at, row in zip(chunk, await _rows(redis, keys, chunk), strict=True):
            item = _item(at.action_id, fleet, row)
            room -= len(row[-1] or b"") + len(row[-2] or b"")
            if item is None:
                page.over.append(at.action_id)
            elif conversation is None or item["conversation"] == conversation:
                page.items.append(item)
        is_last = start + len(chunk) == len(found)
        if more if is_last else room <= 0:
            return Page(page.items, page.over, str(chunk[-1]))
    return page


async def _rows(redis: AnyRedis, keys: Keys, chunk: list[Cursor]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for _, action_id in chunk:
        pipeline.hmget(
            keys.action(action_id), ["state", "fleet", "digest", "deadline", "asked", "original", "event"]
        )
    rows: list[Any] = await pipeline.execute()
    return rows


def _item(action_id: str, fleet: str, row: list[bytes | None]) -> dict[str, Any] | None:
    """What a page says of one action; None: it is over."""
    state, owner, digest, deadline, asked, original, event = row
    # Of what an approver edited, the agent knows what it asked for.
    digest, event = asked or digest, original or event
    if state is None or digest is None or event is None or state.decode() not in _OPEN:
        return None
    if owner != fleet.encode():
        return None
    action = orjson.loads(event)
    return {
        "id": action_id,
        "state": state.decode(),
        "digest": digest.decode(),
        "deadline": int(deadline) if deadline else None,
        "conversation": action.get("conversation"),
        "action": action if len(event) <= MOST_BYTES and not has_marks(event) else None,
    }
