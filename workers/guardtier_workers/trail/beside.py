"""Beside: the audit streams as Redis has them now, checked by themselves and compared with an export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from redis.exceptions import ResponseError

from guardtier.store.chain import Chained, Checker, Link, Pairs, hash_of, lines
from guardtier.store.chain import Kind as FaultKind
from guardtier.store.connection import ANSWER_SECONDS, AnyRedis, is_wrong_type, wire_to
from guardtier.store.exports import Exports
from guardtier.store.keys import Keys, all_keys
from guardtier.store.wire import Wire
from guardtier_workers.clock import now_ms
from guardtier_workers.trail.lines import number, pairs_of
from guardtier_workers.trail.verify import RECENT, Anchor, Entry, Finding

PAGE = 1000


class Streams:
    """Reads the audit streams, field by field as they stand there. It writes nothing."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._wire = wire_to(redis, answer_seconds=ANSWER_SECONDS)
        self._redis, self._exports = redis, Exports(redis, partitions)
        self._keys = all_keys(partitions)
        self._cursors = {keys.partition: _Cursor(self._wire, keys) for keys in self._keys}
        self._damaged: set[str] = set()  #: keys of another type
        self.checkers: dict[int, Checker] = {}

    async def close(self) -> None:
        await self._wire.close()

    async def check(self) -> AsyncIterator[Finding]:
        """What is wrong with the chain of each."""
        for partition, key in await self._exports.damaged():
            self._damaged.add(key)
            says = f"{key} is of another type than it should be: nothing can be said of what it had"
            yield Finding("damaged", f"redis:{partition}", partition, 0, "", says)
        for keys in self._keys:
            async for fault in self._checked(keys):
                yield fault

    async def _checked(self, keys: Keys) -> AsyncIterator[Finding]:
        checker = self.checkers[keys.partition] = Checker(recent=RECENT)
        last = "0-0"
        if keys.audit in self._damaged:
            return
        while True:
            page = await read(self._wire, keys, last)
            for entry, pairs in page:
                last = entry
                for fault in checker.line(entry, pairs):
                    yield _finding(keys, fault.kind, fault.n, fault.entry, fault.says)
            if page:
                continue
            if keys.chain in self._damaged:
                kept = checker.last
                break
            kept = Link.read(await ask(self._wire, "GET", keys.chain))
            if not (kept and kept.n > (checker.last or Link()).n and await read(self._wire, keys, last)):
                break  # else it was written meanwhile
        for fault in [*checker.end(), *checker.tail(kept)]:
            yield _finding(keys, fault.kind, fault.n, fault.entry, fault.says)

    async def now(self) -> int:
        """The time by Redis' clock (ms since 1970), which dates the lines; else by ours."""
        try:
            seconds, micros = await self._redis.time()
        except ResponseError:
            return now_ms()
        return int(seconds) * 1000 + int(micros) // 1000

    async def anchors(self, exports: Collection[str]) -> list[Anchor]:
        """How far these exports had told Redis that they got."""
        return [
            Anchor(one.reached.seq, one.reached.sha256, f"Redis (partition {one.partition})", must=False)
            for one in await self._exports.behind()
            if one.reached is not None and one.export in exports
        ]

    async def absent(self, exports: Collection[str], where: str) -> list[Finding]:
        """What Redis was told of other exports than these, and what of it can't be read."""
        found: list[Finding] = []
        others: dict[str, int] = {}
        for one in await self._exports.behind():
            key = self._keys[one.partition].exported
            if one.reached is None and key not in self._damaged:
                says = f"{key} does not say how far an export is ({one.export})"
                found.append(Finding("damaged", f"redis:{one.partition}", one.partition, 0, "", says))
            elif one.reached is not None and one.export not in exports:
                others[one.export] = max(one.reached.seq, others.get(one.export, 0))
        for export, seq in sorted(others.items()):
            says = (
                f"export {export} told Redis that it has {seq} lines, and none is in {where}: that was "
                f"emptied, or it is another host's (--elsewhere {export}), or gone for good (audit forget)"
            )
            found.append(Finding(FaultKind.MISSING, "redis", None, 0, "", says))
        return found

    async def compare(self, line: Entry) -> list[Finding]:
        """What Redis says of an export's next entry: another thing, or that one before it is missing."""
        cursor = self._cursors.get(line.partition)
        if cursor is None:
            says = f"the tier has {len(self._keys)} partitions"
            return [Finding("inserted", line.where, line.partition, 0, line.entry, says)]
        return [found async for found in cursor.meet(line)]

    async def goes_on(self) -> list[Finding]:
        """What Redis has in place of what should stand behind the export's last entries."""
        cursors = [one for one in self._cursors.values() if one.key not in self._damaged]
        return [found for cursor in cursors async for found in cursor.goes_on()]

    async def behind(self) -> int:
        """How many entries Redis has behind the last that was compared: they are still to be exported."""
        return sum([await cursor.rest() for cursor in self._cursors.values()])


class _Cursor:
    """Goes along one stream beside the entries of an export."""

    def __init__(self, wire: Wire, keys: Keys) -> None:
        self._wire, self._keys = wire, keys
        self._page: list[tuple[str, Pairs]] = []
        self._last, self._first, self._met = "0-0", "", "0-0"
        self._end: Link | None = None  #: the export's last entry, where it is chained

    @property
    def key(self) -> str:
        return self._keys.audit

    async def meet(self, line: Entry) -> AsyncIterator[Finding]:
        if number(line.entry) <= number(self._met):
            return  # it stands there out of order, or twice: that is said already
        self._met = line.entry
        self._end = Chained.of(line.entry, line.pairs).link
        while (found := await self._peek()) and number(found[0]) < number(line.entry):
            self._page.pop()
            says = f"Redis has this entry, and the export has not, before {line.where}"
            yield _finding(self._keys, FaultKind.MISSING, _n(found[1]), found[0], says)
        if found and found[0] == line.entry:
            self._page.pop()
            if list(found[1]) != list(line.pairs):
                says = f"what {line.where} says is not what Redis has"
                yield _finding(self._keys, FaultKind.CHANGED, _n(line.pairs), line.entry, says)
        elif self._first and number(line.entry) > number(await self._oldest()):
            says = f"{line.where} has this entry, and Redis has not"
            yield _finding(self._keys, FaultKind.MISSING, _n(line.pairs), line.entry, says)

    async def goes_on(self) -> AsyncIterator[Finding]:
        """Nothing is trimmed that an export lacks, nor the last line: behind its end stands the next."""
        end, found = self._end, await self._peek()
        if end is None:
            return
        if found is None:
            if not self._first:
                says = f"Redis has no line, and the export goes to line {end.n}"
                yield _finding(self._keys, FaultKind.TRUNCATED, end.n, end.entry, says)
            return
        line = Chained.of(*found)
        if line.link is None or (line.link.n == end.n + 1 and hash_of(end, line.said) == line.link.h):
            return
        n, kind = line.link.n, FaultKind.RESTARTED
        says = f"it does not go on from line {end.n} of the export: Redis lost its lines, or has others"
        if n > end.n + 1:
            says = f"{lines(end.n + 1, n - 1)} neither here nor in the export"
            n, kind = end.n + 1, FaultKind.MISSING
        yield _finding(self._keys, kind, n, found[0], says)

    async def _oldest(self) -> str:
        """The first entry that is there now: old ones may have gone meanwhile."""
        page = await ask(self._wire, "XRANGE", self._keys.audit, "-", "+", "COUNT", 1)
        return str(page[0][0].decode()) if page else self._first

    async def rest(self) -> int:
        count = 0
        while await self._peek():
            self._page.pop()
            count += 1
        return count

    async def _peek(self) -> tuple[str, Pairs] | None:
        if not self._page:  # what has come meanwhile may be exported, and be met
            try:
                page = await read(self._wire, self._keys, self._last)
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                page = []  # it is damaged, which is said
            if page:
                self._first = self._first or page[0][0]
                self._last = page[-1][0]
            self._page = page[::-1]
        return self._page[-1] if self._page else None


async def read(wire: Wire, keys: Keys, behind: str) -> list[tuple[str, Pairs]]:
    """The next page of an audit stream."""
    page = await ask(wire, "XRANGE", keys.audit, f"({behind}", "+", "COUNT", PAGE)
    return [(entry.decode(), pairs_of(fields)) for entry, fields in page]


async def ask(wire: Wire, *command: object) -> Any:
    """One command's reply. Raises what Redis answers."""
    (reply,) = await wire.round_trip([command])
    if isinstance(reply, BaseException):
        raise reply
    return reply


def _n(pairs: Pairs) -> int:
    link = Chained.of("", pairs).link
    return link.n if link else 0


def _finding(keys: Keys, what: str, n: int, entry: str, says: str) -> Finding:
    return Finding(what, f"redis:{keys.partition}", keys.partition, n, entry, says)
