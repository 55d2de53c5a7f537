"""The confirmation set of one partition, a bounded page at a time, for those who may see a part of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardtier.risk import SecurityRisk
from guardtier.state import State
from guardtier.store.connection import AnyRedis, is_wrong_type
from guardtier.store.cursor import Cursor, behind
from guardtier.store.keys import Keys
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Record, read_row, record_fields, rows_of

PAGE = 100  #: actions of one page at the most
PAGE_BYTES = 256 * 1024  #: of records in one page; one that is longer is a page of its own
SCAN = 500  #: parked actions that one page looks at, most of which others may own
COUNT_SCAN = 2000  #: those that one step of counting looks at
CHUNK = 20  #: records of one round trip: a record may hold 1 MiB
FLEETS_CHUNK = 100  #: names of fleets of one round trip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parked actions are looked for. ``fleets``: None is every fleet; no ``risks``: any rating."""

    fleets: frozenset[str] | None = None
    agent: str | None = None
    risks: frozenset[SecurityRisk] = frozenset()

    def takes(self, record: Record) -> bool:
        return (
            (self.fleets is None or record.fleet in self.fleets)
            and (not self.risks or record.assessment.risk in self.risks)
            and (self.agent is None or record.agent == self.agent)
        )


@dataclass(frozen=True, slots=True)
class ParkedPage:
    """``records``, the nearest deadline first; ``after`` is the cursor of the next page, None: the end.

    A page may be empty and still have a next one: its actions were not among those that are looked for.
    """

    records: list[Record] = field(default_factory=list)
    after: str | None = None


async def parked_page(
    redis: AnyRedis, keys: Keys, wanted: Wanted, *, after: str = "", limit: int = PAGE
) -> ParkedPage:
    """One page. Raises InvalidAction for a cursor that no page has given."""
    most = limit if wanted == Wanted() else SCAN
    listed, more = await behind(redis, keys.parked, after, most)
    page = _Filling(wanted, limit)
    for part in _parts(listed, FLEETS_CHUNK):
        for chunk in _parts(await _of_fleets(redis, keys, part, wanted.fleets), CHUNK):
            for at, row in zip(chunk, await _rows(redis, keys, chunk), strict=True):
                if not page.takes(at, row):
                    return ParkedPage(page.records, str(page.last))
    return ParkedPage(page.records, str(listed[-1]) if more else None)


class _Filling:
    """A page while it is filled. ``last`` is what it has looked at last."""

    def __init__(self, wanted: Wanted, limit: int) -> None:
        self._wanted, self._limit, self._room = wanted, limit, PAGE_BYTES
        self.records: list[Record] = []
        self.last: Cursor | None = None

    def takes(self, at: Cursor, row: Sequence[bytes | None]) -> bool:
        """Look at one; False where the page is full without it."""
        size = 0 if isinstance(row, Exception) else sum(len(value) for value in row if value)
        if len(self.records) == self._limit or (self.records and self._room < size):
            return False
        record = read_row(at.action_id, row)
        if record is not None and record.state is State.PARKED and self._wanted.takes(record):
            self.records.append(record)
            self._room -= size
        self.last = at
        return True


async def parked_count(
    redis: AnyRedis, pipe: CommandPipe, keys: Keys, fleets: frozenset[str] | None, *, after: str = ""
) -> tuple[int, str | None]:
    """How many are parked of these fleets, and where to go on counting; None: that is all.

    It asks by the pipe: redis-py takes ten times as long to ask for so little.
    """
    if fleets is None:
        return int(await redis.zcard(keys.parked)), None
    listed, more = await behind(redis, keys.parked, after, COUNT_SCAN)
    counted = 0
    for part in _parts(listed, FLEETS_CHUNK):
        asked = [pipe.post("HGET", keys.action(at.action_id), "fleet") for at in part]
        owners = await asyncio.gather(*asked, return_exceptions=True)
        counted += sum(_is_of(owner, fleets) for owner in owners)
    return counted, str(listed[-1]) if more else None


async def _of_fleets(
    redis: AnyRedis, keys: Keys, part: list[Cursor], fleets: frozenset[str] | None
) -> list[Cursor]:
    if fleets is None:
        return part
    pipeline = redis.pipeline(transaction=False)
    for at in part:
        pipeline.hget(keys.action(at.action_id), "fleet")
    owners = await rows_of(pipeline)
    return [at for at, owner in zip(part, owners, strict=True) if _is_of(owner, fleets)]


def _is_of(owner: Any, fleets: frozenset[str]) -> bool:
    """Raises what Redis says, but of what is no record."""
    if isinstance(owner, BaseException) and not is_wrong_type(owner):
        raise owner
    return isinstance(owner, bytes) and owner.decode(errors="replace") in fleets


async def _rows(redis: AnyRedis, keys: Keys, chunk: list[Cursor]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for at in chunk:
        pipeline.hmget(keys.action(at.action_id), record_fields())
    return await rows_of(pipeline)


def _parts(listed: list[Cursor], length: int) -> Iterator[list[Cursor]]:
    return (listed[start : start + length] for start in range(0, len(listed), length))
