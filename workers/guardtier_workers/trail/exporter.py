"""Exporter: follows the audit streams, checks their chains as it goes, and writes them to the folder.

A line counts as exported once it is on disk; only then is Redis told, which may trim it from then on. What
is wrong with a chain is written down and logged, and stops nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from guardtier.store.chain import BEGINNING, Chained, Checker, Fault, Link
from guardtier.store.chain import Kind as FaultKind
from guardtier.store.connection import ANSWER_SECONDS, connect, is_away, is_wrong_type, wire_to
from guardtier.store.keys import all_keys
from guardtier_workers.ending import end
from guardtier_workers.trail.common import common
from guardtier_workers.trail.copying import Copies, Copying, pause
from guardtier_workers.trail.folder import Folder, FolderHeld
from guardtier_workers.trail.lines import Kind, is_behind, line_of, pairs_of
from guardtier_workers.trail.stream import Stream
from guardtier_workers.trail.tail import put_in
from guardtier_workers.trail.telling import FolderCopied, PositionDamaged, Telling
from guardtier_workers.trail.writing import Line, Writing, found

log = logging.getLogger(__name__)

PAGE = 1000  #: lines of one partition that go to disk together
IDLE_SECONDS = 1.0  #: between looks while nothing comes
PAUSE_SECONDS = 5.0  #: after a failure, and for whoever waits for another exporter's folder
MOST_RECENT = 100_000  #: hashes remembered, of all partitions: what a Redis that came back may lack
LAST_SECONDS = 2.0  #: for what is left at the end


class Exporter:
    """Writes the trail of every partition to one folder. One a folder: others wait for it."""

    def __init__(
        self, redis_url: str, partitions: int, folder: Folder, *, copies: Copies | None = None
    ) -> None:
        self._redis = redis = connect(redis_url)
        self._folder = folder
        self._copying = Copying(copies, folder) if copies else None
        self._telling, self._writing = Telling(redis, partitions, folder), Writing(folder)
        self._wire = wire_to(redis, answer_seconds=ANSWER_SECONDS)
        self._keys = all_keys(partitions)
        self._streams: list[Stream] = []
        self._refused, self._more = True, False  #: until files and Redis were held against each other
        self.trouble: str | None = None  #: why nothing can be exported at the moment

    async def run(self, stop: asyncio.Event) -> None:
        """Export until ``stop``; what goes wrong is tried again."""
        copying = None
        try:
            while not stop.is_set():
                if not await self._begun():
                    await pause(stop, PAUSE_SECONDS)
                    continue
                if self._copying and copying is None:
                    copying = asyncio.create_task(self._copying.run(stop))
                await self._until(stop)
            if not self._refused:
                await self._what_is_left()
        finally:
            if copying is not None:
                await end([copying])
            await self.close()

    async def _begun(self) -> bool:
        try:
            if not self._folder.is_open:
                await asyncio.to_thread(self._folder.open)
            await self.begin()
        except FolderHeld:  # another steward exports to it
            return False
        except Exception as error:
            self._say(error)
            return False
        return True

    async def begin(self) -> None:
        """Go on where the folder, which is open, ends."""
        folder = self._folder
        faults = await self._telling.begin()  # first: it may not be ours to write to
        self._writing.say_if_new()
        for says in folder.faults:
            log.error("the audit trail in %s: %s; guardtier audit verify", folder.path, says)
        self._streams = []
        for keys in self._keys:
            entry, link = folder.standing.positions.get(keys.partition, ("0-0", BEGINNING))
            checker = self._checker(link if link.n else None)
            self._streams.append(Stream(keys, entry, checker, faults.get(keys.partition, 0)))
        self._writing.begin(self._streams[0])
        if folder.faults:
            await self._writing.lines(
                [(Kind.NOTE, {"says": f"wrong when opened: {f}"}) for f in folder.faults]
            )
            self._writing.faults += len(folder.faults)
            folder.faults = []
        says = "the export has it without a signature from before, and Redis has not, or otherwise"
        for partition, entry in await put_in(self._wire, folder, self._keys):
            await self._writing.faults_of(
                self._streams[max(partition, 0)], [Fault(FaultKind.INSERTED, 0, entry, says)]
            )
        self._refused = False

    async def close(self) -> None:
        """Sign for what is written, and let the folder go."""
        if self._folder.is_open:
            with suppress(OSError, FolderHeld):
                if not self._refused:
                    await self._writing.sign()
            self._folder.close()
        await self._wire.close()
        await self._redis.aclose()

    @property
    def faults(self) -> int:
        """How much was wrong, since the start."""
        return self._writing.faults

    @property
    def state(self) -> dict[str, Any]:
        """What a steward says of it where its health is asked."""
        return {
            "export": self._folder.export,
            "trouble": self.trouble,
            "faults": self.faults,
            "database": self._copying.trouble if self._copying else None,
        }

    async def _until(self, stop: asyncio.Event) -> None:
        """Export until ``stop``, or until the folder is another exporter's."""
        while not stop.is_set():
            try:
                more = await self.step()
                self.trouble = None
            except FolderHeld as error:
                self._say(error)
                self._refused = True
                self._folder.close()
                return
            except Exception as error:
                self._say(error)
                if not self._more:  # else the other partitions go on at once
                    await pause(stop, PAUSE_SECONDS)
                continue
            if not more:
                await pause(stop, IDLE_SECONDS)

    async def _what_is_left(self) -> None:
        """At the end, what has come meanwhile: the other workers end at the same time."""
        with suppress(Exception):
            async with asyncio.timeout(LAST_SECONDS):
                while await self.step():
                    pass

    async def step(self) -> bool:
        """Export one page of every partition. True where there may be more.

        Raises what went wrong with one of them, once the others had their turn.
        """
        self._more, wrong = False, None
        if self._refused:
            await self._telling.begin()
            self._refused = False
        await self._note_copy()
        for stream in self._streams:
            try:
                self._more |= await self._page(stream)
            except (FolderCopied, FolderHeld):
                self._refused, self._more = True, False
                raise
            except Exception as error:
                wrong = wrong or error
            wrong = await self._sign_if_due() or wrong
        if wrong is not None:
            raise wrong
        return self._more

    async def _note_copy(self) -> None:
        """What is wrong with the database is told where doctor and the metrics look."""
        if new := self._copying.take() if self._copying else 0:
            first = self._streams[0]
            self._writing.count(first, new)
            await self._telling.tell(first.keys.partition, first.position(self._folder.end))

    async def _sign_if_due(self) -> Exception | None:
        if not self._writing.is_to_sign:
            return None
        try:
            with suppress(Exception):  # Redis is away: what was known before will do
                await self._telling.look_beside()
            await self._writing.sign()
        except FolderHeld:
            raise
        except Exception as error:
            return error
        return None

    def _checker(self, last: Link | None) -> Checker:
        return Checker(last, recent=max(MOST_RECENT // len(self._keys), 100))

    async def _page(self, stream: Stream) -> bool:
        read = ("XRANGE", stream.keys.audit, stream.entry, "+", "COUNT", PAGE + 1)
        told = ("HGET", stream.keys.exported, self._folder.export)
        page, kept, told = await self._wire.round_trip([read, ("GET", stream.keys.chain), told])
        if isinstance(kept, BaseException) and is_wrong_type(kept):
            kept = None  # the next line makes it anew, and all who check say so
        for reply in (page, kept):
            if isinstance(reply, BaseException):
                raise reply
        partition, damaged = stream.keys.partition, None
        try:
            new = await self._telling.check(partition, told, stream.position(self._folder.end))
        except PositionDamaged as error:  # what is there goes to disk all the same
            damaged, new = error, error.new
        self._writing.count(stream, new)
        more = await self._exported(stream, page, Link.read(kept))
        if damaged is None:  # what a killed exporter, or one that lost its connection, had still to tell
            await self._telling.keep_up(partition, stream.position(self._folder.end))
        if damaged is not None:
            self._more |= more
            raise damaged
        return more

    async def _exported(self, stream: Stream, page: Any, kept: Link | None) -> bool:
        """Write what was read. True where there may be more."""
        is_there = bool(page) and page[0][0].decode() == stream.entry
        if is_there:
            del page[0]
        elif page and await self._is_behind(stream):
            return True
        if not page:
            if not is_there:  # else it is a line without a number, behind the chain's end
                await self._look_back(stream, kept)
            return False
        lines: list[Line] = []
        faults: list[Fault] = []
        entry_before, last_before = stream.entry, stream.checker.last
        for entry, fields in page:
            text, pairs = entry.decode(), pairs_of(fields)
            wrong = [*stream.checker.line(text, pairs), *stream.checker.end()]
            faults += wrong
            lines += found(stream, wrong)
            lines.append((Kind.LINE, line_of(stream.keys.partition, text, pairs)))
        stream.entry = page[-1][0].decode()
        try:
            await self._writing.lines(lines)
        except BaseException:  # once more, from there
            stream.entry, stream.checker = entry_before, self._checker(last_before)
            raise
        self._writing.written(stream, len(faults))
        for kind, values in lines:
            if kind is Kind.LINE:
                at = values["entry"], values.get("n"), values.get("h")
                self._folder.standing.moved(stream.keys.partition, *at)
        with suppress(PositionDamaged):  # that is said whenever it is looked at
            await self._telling.tell(stream.keys.partition, stream.position(self._folder.end))
        return len(page) >= PAGE

    async def _is_behind(self, stream: Stream) -> bool:
        """Redis lacks what was exported last and has lines before: it goes on behind what both have."""
        read = ("XREVRANGE", stream.keys.audit, stream.entry, "-", "COUNT", PAGE)
        (page,) = await self._wire.round_trip([read])
        if isinstance(page, BaseException):
            raise page
        chained = [Chained.of(entry.decode(), pairs_of(fields)) for entry, fields in page]
        if chained:
            await self._lost(stream, [one.link for one in chained if one.link])
        return bool(chained)

    async def _look_back(self, stream: Stream, kept: Link | None) -> None:
        """Where the stream ends before what was exported, Redis came back with an older copy, or anew."""
        if kept is not None and is_behind(stream.entry, kept.entry):
            await self._lost(stream, [kept])

    async def _lost(self, stream: Stream, left: Sequence[Link]) -> None:
        """Go on behind the first of the links that are left which was exported; where none was, anew."""
        hash_at, where = stream.checker.hash_at, (self._folder.path, stream.keys.partition)
        known = next((link for link in left if hash_at(link.n) == link.h), None)
        known = known or await asyncio.to_thread(common, *where, left)
        behind = known.entry if known else "0-0"
        says = f"Redis has lost what it had behind entry {behind}: the export has it"
        last = stream.checker.last or BEGINNING
        fault = Fault(FaultKind.TRUNCATED, last.n, stream.entry, says)
        await self._writing.faults_of(stream, [fault], behind=behind)
        self._folder.standing.back(stream.keys.partition, behind)
        stream.entry = behind

    def _say(self, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"
        of_disk = isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError))
        if of_disk:
            told += f" (audit_dir: {self._folder.path})"
        if self.trouble != told:
            is_redis = is_away(error) and not of_disk
            (log.warning if is_redis else log.error)("the audit trail can't be exported: %s", told)
        self.trouble = told
