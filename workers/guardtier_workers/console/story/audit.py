"""Audit: the lines of the audit streams themselves, in words, of the fleets that an approver sees."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field, StringConstraints

from guardtier.action import NAME, partition_of
from guardtier.look import Me
from guardtier.store.connection import AnyRedis
from guardtier.store.dead import fleet_then
from guardtier.store.keys import Keys
from guardtier.store.trail import Line
from guardtier_workers.console.board.filters import Text
from guardtier_workers.console.query import Query
from guardtier_workers.console.story.lines import fleet_of, is_shown
from guardtier_workers.console.story.step import Step
from guardtier_workers.console.story.walk import MOST_LINES, Place, Walk
from guardtier_workers.console.story.words import step_of

#: Lines whose ids are those of requests; and refused requests that name an action.
_REQUESTS: Final = frozenset({"configured", "resumed", "revoked"})
_OF_ACTIONS: Final = frozenset({"answer_refused", "edit_refused"})
_MOST_LOOKUPS: Final = 200  #: of whose action a refused request names


class AuditQuery(Query):
    """``event``: one kind of line. The newest come first."""

    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    event: Text = ""
    cursor: Annotated[str, StringConstraints(max_length=60)] = ""
    limit: int = Field(default=100, ge=1, le=500)


class AuditLine(BaseModel):
    """``id``: the action's (``is_action``), or the request's. ``fleet``: null where the line names none."""

    id: str
    is_action: bool
    fleet: str | None
    step: Step


class AuditPage(BaseModel):
    """``cursor``: where to look on; null where the streams have no more. ``looked_to``: ms since 1970."""

    lines: list[AuditLine]
    cursor: str | None
    looked_to: int | None


class Audit:
    """Reads the audit streams backwards."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._redis, self._partitions = redis, partitions

    async def page(self, query: AuditQuery, me: Me) -> AuditPage:
        """Raises ConfigError for a cursor that no page has given."""
        walk = Walk(self._redis, self._partitions, before=Place.read(query.cursor), most=MOST_LINES)
        found: list[AuditLine] = []
        looked_up = 0
        async for line in walk:
            if query.event and line.text("event") != query.event:
                continue
            fleet = fleet_of(line)
            if fleet is None and (query.fleet is not None or not me.sees("*")):
                fleet, looked_up = await self._whose(line), looked_up + 1
            if query.fleet in (None, fleet) and is_shown(line, me, about=fleet):
                found.append(_shown(line, fleet))
            if len(found) >= query.limit or looked_up >= _MOST_LOOKUPS:
                break
        more = not walk.ended and walk.place is not None
        return AuditPage(
            lines=found,
            cursor=str(walk.place) if more else None,
            looked_to=walk.place.ms if more and walk.place else None,
        )

    async def _whose(self, line: Line) -> str | None:
        """The fleet of the action that a line names; None where there is none (any more)."""
        action_id = line.text("id")
        if partition_of(action_id) != line.partition:
            return None
        key = Keys(line.partition).action(action_id)
        found = await self._redis.hmget(key, ["fleet", "entry"])  # type: ignore[misc]
        return fleet_then(found, line.at)


def _shown(line: Line, fleet: str | None) -> AuditLine:
    event, action_id = line.text("event"), line.text("id")
    of_request = event in _REQUESTS or (event.endswith("_refused") and event not in _OF_ACTIONS)
    is_action = not of_request and partition_of(action_id) is not None
    return AuditLine(id=action_id, is_action=is_action, fleet=fleet, step=step_of(line))
