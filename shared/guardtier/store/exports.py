"""Exports: how far each export of the audit streams has got, so that nothing is trimmed before."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from redis.exceptions import ResponseError

from guardtier.store.chain import Link
from guardtier.store.connection import AnyRedis, is_wrong_type
from guardtier.store.keys import all_keys
from guardtier.store.pipe import CommandPipe

LATE_SECONDS = 300.0  #: a line that waits for so long to be exported: no exporter seems to run
UNREADABLE = "unreadable"  #: stands for the exports of a partition whose key can't be read

_KEPT = re.compile(rb"([0-9]+-[0-9]+) ([0-9]+) ([0-9]+) ([0-9a-f]{64}) ([0-9]+) ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Exported:
    """Up to where one partition's stream is in one export, on disk."""

    entry: str  #: the last line's
    n: int  #: its number in the chain; 0: it had none
    seq: int  #: the last line of the export's files, of any partition
    sha256: str  #: and its hash
    at: int  #: when it was written (ms since 1970)
    faults: int = 0  #: how often its chain was wrong

    @classmethod
    def read(cls, kept: bytes) -> Exported | None:
        found = _KEPT.fullmatch(kept)
        if found is None:
            return None
        entry, sha256 = found[1].decode(), found[4].decode()
        return cls(entry, int(found[2]), int(found[3]), sha256, int(found[5]), int(found[6]))

    def with_faults(self, faults: int) -> Exported:
        """The same place, with its chain wrong so often."""
        return replace(self, faults=faults)

    def __str__(self) -> str:
        return f"{self.entry} {self.n} {self.seq} {self.sha256} {self.at} {self.faults}"


@dataclass(frozen=True, slots=True)
class Behind:
    """What one export still lacks of a partition. ``lines`` is 0 where it has all."""

    partition: int
    export: str
    lines: int  #: at the least: where Redis came back with less, their numbers don't tell
    reached: Exported | None  #: None: what is kept can't be read
    since: int | None = None  #: when the first line that it lacks was written (ms since 1970, Redis' clock)

    def waits(self, now_ms: int) -> float:
        """For how many seconds a line has waited for it; 0 where none does."""
        return max(now_ms - self.since, 0) / 1000 if self.since else 0.0


class Exports:
    """Reads and writes the positions of exports."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._redis = redis
        self._keys = all_keys(partitions)

    async def reached(self, partition: int, export: str, position: Exported) -> None:
        """Say how far an export has got. What is before may be trimmed from now on."""
        await self._redis.hset(self._keys[partition].exported, export, str(position))  # type: ignore[misc]

    async def position(self, partition: int, export: str) -> Exported | None:
        """How far an export says that it has got."""
        kept = await self.kept(partition, export)
        return Exported.read(kept) if kept else None

    async def kept(self, partition: int, export: str) -> bytes | None:
        """What stands there, as it stands."""
        kept: bytes | None = await self._redis.hget(self._keys[partition].exported, export)  # type: ignore[misc]
        return kept

    async def names(self, partition: int) -> set[str]:
        """The exports that have told how far they are."""
        found = await self._redis.hgetall(self._keys[partition].exported)  # type: ignore[misc]
        return {name.decode(errors="replace") for name in found}

    async def remake(self, partition: int, export: str, position: Exported) -> bool:
        """Make a key of another type anew, with this position alone. False where it can be read."""
        pipe = CommandPipe(self._redis, insist=False)
        try:
            keys = [self._keys[partition].exported]
            done = await pipe.script("remake", keys, [export, str(position)])
        finally:
            await pipe.close()
        return bool(done[0] == b"remade")

    async def forget(self, export: str) -> int:
        """Wait for an export no more: its folder is gone for good. Returns how many partitions did,
        not those whose key can't be read.
        """
        count = 0
        for keys in self._keys:
            try:
                count += int(await self._redis.hdel(keys.exported, export))  # type: ignore[misc]
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
        return count

    async def behind(self) -> list[Behind]:
        """How many lines each export lacks, by the numbers of the chain. Where a partition's key can't be
        read, :data:`UNREADABLE` lacks all of them.
        """
        found: list[Behind] = []
        for keys in self._keys:
            end = await self._end(keys.chain)
            try:
                kept = await self._redis.hgetall(keys.exported)  # type: ignore[misc]
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                found.append(Behind(keys.partition, UNREADABLE, end.n, None))
                continue
            for export, text in sorted(kept.items()):
                reached = Exported.read(text)
                since = await self._first_behind(keys.audit, reached)
                lines = end.n - (reached.n if reached else 0)
                if lines <= 0:  # by their numbers; they begin anew where Redis lost its last ones
                    lines = int(since is not None)
                name = export.decode(errors="replace")
                found.append(Behind(keys.partition, name, lines, reached, since))
        return found

    async def damaged(self) -> list[tuple[int, str]]:
        """Partition and name of each key of the trail that is of another type than it should be."""
        found: list[tuple[int, str]] = []
        for keys in self._keys:
            for key, command in ((keys.audit, "XLEN"), (keys.chain, "GET"), (keys.exported, "HGET")):
                more = ("x",) if command == "HGET" else ()
                try:
                    await self._redis.execute_command(command, key, *more)
                except ResponseError as error:
                    if not is_wrong_type(error):
                        raise
                    found.append((keys.partition, key))
        return found

    async def _first_behind(self, audit: str, reached: Exported | None) -> int | None:
        try:
            page = await self._redis.xrange(audit, min=f"({reached.entry}" if reached else "-", count=1)
        except ResponseError:  # it says that it is at no entry; or the stream is none
            return None
        return int(page[0][0].partition(b"-")[0]) if page else None

    async def _end(self, chain: str) -> Link:
        try:
            return Link.read(await self._redis.get(chain)) or Link()
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            return Link()
