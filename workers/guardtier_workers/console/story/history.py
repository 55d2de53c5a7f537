"""History: decided actions, searched backwards through the audit streams, a bounded part at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import BaseModel, Field, StringConstraints

from guardtier.action import LABEL, NAME, partition_of
from guardtier.look import Me
from guardtier.store.connection import AnyRedis
from guardtier.store.records import Record, Records
from guardtier.store.trail import Line
from guardtier.verdict import Outcome
from guardtier_workers.console.board.filters import Text
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.opened import opened
from guardtier_workers.console.query import Query
from guardtier_workers.console.story.decision import OUTCOMES, Decision
from guardtier_workers.console.story.walk import MOST_LINES, Place, Walk

_BATCH: Final = 16  #: records read at once: an action has up to 1 MiB
_MOST_RECORDS: Final = 1_000  #: that one request looks at
_MOST_BYTES: Final = 32 * 1024 * 1024  #: of the actions in them
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What a person decided, or nobody in time. Released ones are many: they are shown where asked for.
USUAL: Final = (Outcome.APPROVED, Outcome.REJECTED, Outcome.EXPIRED)


class HistoryQuery(Query):
    """``outcome``: all but released where none is named. ``by``: part of a name of who decided, or of the
    policy. ``since`` and ``until`` are in UTC where they name no zone.
    """

    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    agent: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    outcome: tuple[Outcome, ...] = Field(default=(), max_length=8)
    by: Text = ""
    text: Text = ""
    since: datetime | None = None
    until: datetime | None = None
    cursor: Annotated[str, StringConstraints(max_length=60)] = ""
    limit: int = Field(default=50, ge=1, le=200)

    @property
    def outcomes(self) -> frozenset[str]:
        return frozenset(self.outcome or USUAL)

    @property
    def needs_record(self) -> bool:
        """Whether a line alone does not tell if it is asked for."""
        return bool(self.agent or self.by or self.text)


class HistoryPage(BaseModel):
    """The newest first. ``cursor``: where to look on; null where the streams have no more.

    ``looked_to``: how far back it has looked (ms since 1970), null where it has seen everything that is
    kept. ``looked``: audit lines.
    """

    decisions: list[Decision]
    cursor: str | None
    looked_to: int | None
    looked: int


class History:
    """Reads the decisions that an approver may see."""

    def __init__(self, redis: AnyRedis, records: Records, partitions: int) -> None:
        self._redis, self._records, self._partitions = redis, records, partitions

    async def page(self, query: HistoryQuery, me: Me, *, most: int = MOST_LINES) -> HistoryPage:
        """Raises ConfigError for a cursor that no page has given."""
        walk = Walk(
            self._redis,
            self._partitions,
            before=Place.read(query.cursor),
            since_ms=_ms(query.since) or 0,
            until_ms=_ms(query.until),
            most=most,
        )
        search = _Search(self._records, query)
        async for line in walk:
            if _is_asked_for(line, query, me) and await search.take(line):
                break
        else:
            await search.finish()
        last = search.stopped or walk.place
        more = search.stopped is not None or not walk.ended
        return HistoryPage(
            decisions=search.found,
            cursor=str(last) if more and last else None,
            looked_to=last.ms if more and last else None,
            looked=walk.looked,
        )


class _Search:
    """Gathers what is asked for, with its records. ``stopped``: where it had enough."""

    def __init__(self, records: Records, query: HistoryQuery) -> None:
        self._records, self._query = records, query
        self._waiting: list[Line] = []
        self._read = self._bytes = 0
        self.found: list[Decision] = []
        self.stopped: Place | None = None

    async def take(self, line: Line) -> bool:
        """One more candidate. True where it is enough."""
        self._waiting.append(line)
        return len(self._waiting) >= _BATCH and await self.finish()

    async def finish(self) -> bool:
        """Look at what waits. True where it is enough."""
        waiting, self._waiting = self._waiting, []
        ids = list(dict.fromkeys(line.text("id") for line in waiting if _is_placed(line)))
        records = {record.id: record for record in await self._records.many(ids)}
        self._read += len(ids)
        self._bytes += sum(len(record.event) for record in records.values())
        for line in waiting:
            record = records.get(line.text("id"))
            if record is not None:
                await opened(record)
            decision = Decision.of(line, record)
            if _fits(decision, record, self._query):
                self.found.append(decision)
            if len(self.found) >= self._query.limit:
                self.stopped = Place.of(line)
                return True
        if (
            waiting
            and self._query.needs_record
            and (self._read >= _MOST_RECORDS or self._bytes >= _MOST_BYTES)
        ):
            self.stopped = Place.of(waiting[-1])
        return self.stopped is not None


def _is_asked_for(line: Line, query: HistoryQuery, me: Me) -> bool:
    """As far as the line alone tells."""
    event, fleet = line.text("event"), line.text("fleet")
    if event not in OUTCOMES or event not in query.outcomes:
        return False
    if not me.sees(fleet) or query.fleet not in (None, fleet):
        return False
    return query.agent is None or line.text("agent") in ("", query.agent)


def _fits(decision: Decision, record: Record | None, query: HistoryQuery) -> bool:
    if query.agent not in (None, decision.agent):
        return False
    deciders = decision.by or (decision.policy, *decision.rules)
    if query.by and not any(query.by.lower() in one.lower() for one in deciders):
        return False
    if not query.text:
        return True
    said = (decision.id, decision.fleet, decision.agent, decision.reason, *deciders)
    wanted = query.text.lower()
    return wanted in "\n".join(said).lower() or (
        decision.kept and record is not None and wanted in Item.of(record).searched
    )


def _is_placed(line: Line) -> bool:
    """Whether the line is where the record of its id would be."""
    return partition_of(line.text("id")) == line.partition


def _ms(at: datetime | None) -> int | None:
    """Milliseconds since 1970; what is before that is 0."""
    if at is None:
        return None
    known = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, (known - _EPOCH) // timedelta(milliseconds=1))
