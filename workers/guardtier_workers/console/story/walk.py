"""Walk: the audit streams of all partitions backwards, the newest line first, a bounded number of them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from guardtier.errors import ConfigError
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import Keys, all_keys
from guardtier.store.trail import Line

MOST_LINES: Final = 20_000  #: that one request looks at
_PAGE: Final = 1_000  #: lines of one round trip, of all partitions together
_CURSOR = re.compile(r"([1-9]\d{0,15})-(\d{1,18})\.(\d{1,4})")


class Place(NamedTuple):
    """Where a walk stands. Lines of all partitions are in one order: by time, then by partition."""

    ms: int
    number: int
    partition: int

    @classmethod
    def of(cls, line: Line) -> Self:
        ms, _, number = line.entry.partition("-")
        return cls(int(ms), int(number), line.partition)

    @classmethod
    def read(cls, cursor: str) -> Self | None:
        """None for "". Raises ConfigError for what no page has given."""
        if not cursor:
            return None
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise ConfigError("the cursor is none that a page has given: begin anew", field="cursor")
        return cls(*(int(part) for part in found.groups()))

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}.{self.partition}"


@dataclass(slots=True)
class _Stream:
    """What was read of one partition and not yet handed out. ``below``: where its next page begins."""

    keys: Keys
    below: str
    lines: deque[Line]
    ended: bool = False


class Walk:
    """Iterate over it; ``only``: one partition.

    ``place`` is behind the line that came last; ``ended`` where there is no more.
    """

    def __init__(
        self,
        redis: AnyRedis,
        partitions: int,
        *,
        before: Place | None = None,
        since_ms: int = 0,
        until_ms: int | None = None,
        most: int = MOST_LINES,
        only: int | None = None,
    ) -> None:
        self._redis, self._since, self._left = redis, str(max(since_ms, 0)), most
        newest = "+" if until_ms is None else str(max(until_ms, 0))
        wanted = all_keys(partitions) if only is None else [Keys(only)]
        self._streams = [_Stream(keys, _below(before, keys) or newest, deque()) for keys in wanted]
        self._page = max(20, _PAGE // len(wanted))
        self.place = before
        self.looked = 0  #: lines so far
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[Line]:
        while self._left > 0:
            for stream in self._streams:
                if not stream.lines and not stream.ended:
                    await self._fill(stream)
            heads = [stream for stream in self._streams if stream.lines]
            if not heads:
                self.ended = True
                return
            line = max(heads, key=lambda one: Place.of(one.lines[0])).lines.popleft()
            self.place = Place.of(line)
            self.looked += 1
            self._left -= 1
            yield line

    async def _fill(self, stream: _Stream) -> None:
        """One page more. (What is waiting is refilled only once it is empty, so the order holds.)"""
        found = await self._redis.xrevrange(stream.keys.audit, stream.below, self._since, count=self._page)
        stream.lines.extend(
            Line(stream.keys.partition, entry.decode(), fields or {}) for entry, fields in found
        )
        if len(found) < self._page:
            stream.ended = True
        else:
            stream.below = f"({found[-1][0].decode()}"


def _below(place: Place | None, keys: Keys) -> str:
    """Where a partition goes on behind a place: of the same moment, lower partitions come later."""
    if place is None:
        return ""
    inclusive = "" if keys.partition < place.partition else "("
    return f"{inclusive}{place.ms}-{place.number}"
