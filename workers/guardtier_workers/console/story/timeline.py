"""Timeline: the whole story of one action, from the audit stream of its partition."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from guardtier.action import no_full_id, partition_of
from guardtier.errors import UnknownAction, UnreadableRecord
from guardtier.look import Me
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import Keys
from guardtier.store.records import Record, Records
from guardtier.store.trail import Line
from guardtier_workers.console.opened import opened
from guardtier_workers.console.story.index import Index
from guardtier_workers.console.story.lines import details_of, fleet_of
from guardtier_workers.console.story.step import Step
from guardtier_workers.console.story.walk import MOST_LINES, Place, Walk
from guardtier_workers.console.story.words import step_of

MOST_STEPS: Final = 500  #: of one page; an agent may repeat itself for ever
_PAGE: Final = 1_000
_BEFORE_LINES: Final = 2_000  #: from when it came until its first line that the index has
_AROUND_MS: Final = 10_000  #: workers' clocks, by which verdicts are dated, are no further off
_AROUND_LINES: Final = 2_000


class Story(BaseModel):
    """Oldest first. ``state``: null where the record is gone. ``cursor``: where to look on, null where all
    that is kept was looked at; ``looked_to``: up to when (ms since 1970), or back to when where the record
    is gone. ``ending``: what was said behind that, when it was decided.
    """

    id: str
    fleet: str | None
    state: str | None
    steps: list[Step]
    ending: list[Step] = []
    cursor: str | None = None
    looked_to: int | None = None


class Timeline:
    """Reads what was said of one action."""

    def __init__(
        self, redis: AnyRedis, records: Records, partitions: int, index: Index | None = None
    ) -> None:
        self._redis, self._records, self._partitions = redis, records, partitions
        self._index = index or Index()

    async def of(self, action_id: str, me: Me, *, cursor: str = "", most: int = MOST_LINES) -> Story:
        """Raises UnknownAction for what is not there or not theirs, InvalidAction for no full id."""
        place = Place.read(cursor)
        record = await self._record(action_id)
        if record is None or not me.sees(record.fleet):  # not theirs: exactly as what is not there
            return await self._of_gone(action_id, me, place, most, is_there=record is not None)
        keys = Keys(partition_of(action_id) or 0)
        lines, last = await self._indexed(keys, record) if not place else [], None
        if not lines:
            start = f"({place.ms}-{place.number}" if place else str(record.received_at)
            lines, last = await self._forward(keys, start, action_id, most)
        lines = [line for line in lines if _belongs(line, record.fleet)]
        if len(lines) > MOST_STEPS:
            lines = lines[:MOST_STEPS]
            last = Place.of(lines[-1])
        ending = await self._ending(keys, record, last) if last and not place else []
        steps = [step_of(line) for line in lines]
        if not place:
            steps.insert(0, _asked(record))
        return Story(
            id=action_id,
            fleet=record.fleet,
            state=record.state.value,
            steps=steps,
            ending=[step_of(line) for line in ending if _belongs(line, record.fleet)],
            cursor=str(last) if last else None,
            looked_to=last.ms if last else None,
        )

    async def _record(self, action_id: str) -> Record | None:
        try:
            return await opened(await self._records.get(action_id))
        except (UnknownAction, UnreadableRecord):
            return None

    async def _indexed(self, keys: Keys, record: Record) -> list[Line]:
        """All its lines, where the index has them from its parking on; else none."""
        pipeline = self._redis.pipeline(transaction=False)
        for entry in self._index.of(record.id):  # those before were of another call that had its id
            if int(entry.partition("-")[0]) < record.received_at:
                continue
            pipeline.xrange(keys.audit, min=entry, max=entry)
        found = [
            Line(keys.partition, entry.decode(), fields or {})
            for page in await pipeline.execute()
            for entry, fields in page
            if fields.get(b"id") == record.id.encode()
        ]
        if not found or not _is_first(found[0]):
            return []
        start, end = str(record.received_at), f"({found[0].entry}"
        before, stopped = await self._forward(keys, start, record.id, _BEFORE_LINES, end=end)
        if stopped and not any(line.text("event") == "assessed" for line in before):
            return []  # it was rated long after it came
        return before + found

    async def _forward(
        self, keys: Keys, start: str, action_id: str, most: int, *, end: str = "+"
    ) -> tuple[list[Line], Place | None]:
        """The lines about it from ``start`` on, and where it had to stop; None: at the end."""
        found: list[Line] = []
        while most > 0:
            count = min(_PAGE, most)
            page = await self._redis.xrange(keys.audit, min=start, max=end, count=count)
            lines = (Line(keys.partition, entry.decode(), fields or {}) for entry, fields in page)
            found += [line for line in lines if line.fields.get(b"id") == action_id.encode()]
            if len(page) < count:
                return found, None
            most -= count
            start = f"({page[-1][0].decode()}"
        return found, Place.of(Line(keys.partition, start[1:], {}))

    async def _ending(self, keys: Keys, record: Record, last: Place) -> list[Line]:
        """What was said when it was decided, and that is further on than was looked."""
        if record.verdict is None:
            return []
        near = max(record.verdict.decided_at - _AROUND_MS, last.ms + 1)
        end = str(record.verdict.decided_at + _AROUND_MS)
        if near > int(end):
            return []
        lines, _ = await self._forward(keys, str(near), record.id, _AROUND_LINES, end=end)
        return lines

    async def _of_gone(
        self, action_id: str, me: Me, place: Place | None, most: int, *, is_there: bool
    ) -> Story:
        """Of an action whose record is gone: backwards, since nothing says when it was.

        ``is_there``: it is another fleet's, and so are the lines that name no fleet.
        """
        partition = partition_of(action_id)
        if partition is None or partition >= self._partitions:
            raise no_full_id(action_id)
        walk = Walk(self._redis, self._partitions, before=place, most=most, only=partition)
        lines: list[Line] = []
        async for line in walk:
            if line.fields.get(b"id") == action_id.encode():
                lines.append(line)
            if len(lines) >= MOST_STEPS:
                break
        lines.reverse()
        assessed = {line.text("fleet") for line in lines if line.text("event") == "assessed"}
        fleets = assessed or {fleet for line in lines if (fleet := fleet_of(line))}
        fleet = next((one for one in sorted(fleets) if me.sees(one)), None)
        is_known = me.sees("*") or (bool(assessed) and not is_there)
        steps = [
            step_of(line)
            for line in lines
            if fleet is not None and _belongs(line, fleet) and (is_known or fleet_of(line) is not None)
        ]
        if not steps and walk.ended and place is None:
            raise unknown(action_id)
        return Story(
            id=action_id,
            fleet=fleet,
            state=None,
            steps=steps,
            cursor=None if walk.ended else str(walk.place),
            looked_to=None if walk.ended or walk.place is None else walk.place.ms,
        )


def _asked(record: Record) -> Step:
    who = f"Asked by {record.agent}" if record.agent else "Asked"
    return Step(at=record.received_at, event="asked", tone="asked", words=who)


def _belongs(line: Line, fleet: str) -> bool:
    """Another fleet may try an id that is not its own: that is no part of this story."""
    return fleet_of(line) in (None, fleet)


def _is_first(line: Line) -> bool:
    """Whether the index can have no earlier line of the action: it was parked, or a policy rejected it."""
    event = line.text("event")
    return event == "parked" or (event == "rejected" and not {"choice", "halt"} & details_of(line).keys())


def unknown(action_id: str) -> UnknownAction:
    """For what is not there, and in the same words for what is another fleet's."""
    return UnknownAction(f"no action {action_id}: never published, or past its retention", field="id")
