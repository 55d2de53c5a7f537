"""Follower: what is parked, read from Redis: all of it at the start, then what the audit streams name."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from itertools import islice
from time import monotonic

from guardtier.action import partition_of
from guardtier.state import State
from guardtier.store.connection import AnyRedis, is_away
from guardtier.store.cursor import Cursor, behind
from guardtier.store.keys import all_keys
from guardtier.store.records import Record, Records
from guardtier.store.tail import Fields, Tail
from guardtier_workers.console.opened import opened

log = logging.getLogger(__name__)

CHUNK = 25  #: records of one round trip: each may hold 1 MiB
SCAN = 2_000  #: ids of the confirmation set read in one go
COMPARE_SECONDS = 30.0  #: how often the whole set is compared with what is known
AGAIN_SECONDS = 1.0  #: after a read that failed

#: Lines after which an action's record is another.
CHANGED = frozenset({b"parked", b"answered", b"edited", b"extended"})
ENDED = frozenset({b"approved", b"rejected", b"expired"})

OnRecord = Callable[[str, Record | None], None]
OnEnded = Callable[[str, str, str], None]


class Follower:
    """Calls ``on_record`` with what it reads (None: there is none, or it can't be read), ``on_ended`` with
    id, state and who decided it, as soon as the audit stream says so (``parked``: others are more urgent),
    and ``on_loaded`` with how many are parked, whenever everything was compared.

    ``known`` lists what the other side holds: id and deadline. At most ``most`` actions are read, those
    with the nearest deadlines.
    """

    def __init__(
        self,
        url: str,
        redis: AnyRedis,
        partitions: int,
        *,
        most: int,
        known: Callable[[], Iterator[tuple[str, int]]],
        on_record: OnRecord,
        on_ended: OnEnded,
        on_loaded: Callable[[int], None],
    ) -> None:
        self._redis, self._most, self._known = redis, most, known
        self._records = Records(redis, partitions)
        self._keys = all_keys(partitions)
        self._tails = [Tail(url, keys.audit, self._on_line, self._on_back) for keys in self._keys]
        self._on_record, self._on_ended, self._on_loaded = on_record, on_ended, on_loaded
        self._touched: dict[str, None] = {}  # to be read, the longest known first
        self._ended_since: set[str] = set()  # since the read that is under way was sent
        self._unreadable: set[str] = set()  # listed, and without a record that can be read
        self._outside: Set[str] = set()  # known, and not among the most urgent any more
        self._wake = asyncio.Event()
        self._compare_at = 0.0
        self._anew = True  # everything is to be read again
        self._trouble: str | None = None
        self._closed = False  # redis-py may turn a cancellation into an error of its own

    @property
    def trouble(self) -> str | None:
        """Why what is known may be old; None where all is well."""
        return self._trouble or next((tail.trouble for tail in self._tails if tail.trouble), None)

    def close(self) -> None:
        """Have :meth:`run` end, which is cancelled then."""
        self._closed = True

    async def run(self) -> None:
        """Follow until closed and cancelled. While Redis is away, it tries again."""
        try:
            await asyncio.gather(*(tail.start() for tail in self._tails))
            while not self._closed:
                try:
                    await self._step()
                    self._trouble = None
                except Exception as error:
                    if not self._closed:
                        self._survive(error)
                        await asyncio.sleep(AGAIN_SECONDS)
        finally:
            await asyncio.gather(*(tail.close() for tail in self._tails))

    async def _step(self) -> None:
        if self._anew or monotonic() >= self._compare_at:
            await self._compare()
        await self._read_touched()
        self._wake.clear()
        if self._touched or self._anew:
            return
        try:
            async with asyncio.timeout(max(0.0, self._compare_at - monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _compare(self) -> None:
        """Read again what Redis and we don't agree on; where we start anew, everything."""
        anew, self._anew = self._anew, False
        try:
            listed, total = await self._listed()
        except BaseException:
            self._anew = anew
            raise
        known = dict(self._known())
        there = {at.action_id: at.score for at in listed}
        differ = [name for name, deadline in there.items() if anew or known.get(name) != deadline]
        self._outside = known.keys() - there.keys() if total > self._most else set()
        self._unreadable &= set() if anew else there.keys()
        self._touch(
            [*known.keys() - there.keys(), *(name for name in differ if name not in self._unreadable)]
        )
        await self._read_touched()
        self._outside = set()
        self._compare_at = monotonic() + COMPARE_SECONDS
        self._on_loaded(total)

    async def _listed(self) -> tuple[list[Cursor], int]:
        """The ``most`` with the nearest deadlines, and how many there are at all."""
        sets, total = [], 0
        for keys in self._keys:
            found: list[Cursor] = []
            more = True
            while more and len(found) < self._most:
                page, more = await behind(self._redis, keys.parked, str(found[-1]) if found else "", SCAN)
                found += page
            sets.append(found)
            total += int(await self._redis.zcard(keys.parked)) if more else len(found)
        return list(islice(heapq.merge(*sets), self._most)), total

    async def _read_touched(self) -> None:
        while self._touched:
            chunk = list(islice(self._touched, CHUNK))
            for name in chunk:  # before they are read: what a line names meanwhile is read once more
                del self._touched[name]
            self._ended_since.clear()
            try:
                records = {record.id: record for record in await self._records.many(chunk)}
            except BaseException:
                self._touched.update(dict.fromkeys(chunk))
                raise
            for name in chunk:
                record = records.pop(name, None)  # one by one: read, it is many times as large
                if record is not None:
                    with suppress(Exception):  # it is met again below
                        await opened(record)
                if name not in self._ended_since:
                    self._hand_on(name, record)
            await asyncio.sleep(0)
        self._ended_since.clear()  # no read is under way; of what was never parked nobody asks

    def _hand_on(self, name: str, record: Record | None) -> None:
        if record is None:
            self._unreadable.add(name)
        try:
            if record is not None and record.state is State.PARKED and name in self._outside:
                self._on_ended(name, State.PARKED.value, "")
            else:
                self._on_record(name, record)
        except Exception:
            self._unreadable.add(name)
            log.exception("the record of %s can't be shown: it is left out", name)

    def _touch(self, names: Iterable[str]) -> None:
        """Have them read. What is no id of this tier is left out: it would end every read."""
        for name in names:
            partition = partition_of(name)
            if partition is not None and partition < len(self._keys):
                self._touched[name] = None

    def _on_line(self, _entry: str, fields: Fields) -> None:
        event = fields.get(b"event")
        if event in CHANGED:
            self._touch([_text(fields, b"id")])
            self._wake.set()
        elif event in ENDED:
            name = _text(fields, b"id")
            self._ended_since.add(name)
            self._touched.pop(name, None)
            self._on_ended(name, event.decode(), _text(fields, b"by"))

    def _on_back(self) -> None:
        self._anew = True
        self._wake.set()

    def _survive(self, error: Exception) -> None:
        if not is_away(error):
            log.error("what is parked can't be read: %r", error)
        self._trouble = f"{type(error).__name__}: {error}"


def _text(fields: Fields, name: bytes) -> str:
    return fields.get(name, b"").decode(errors="backslashreplace")
