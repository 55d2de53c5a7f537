"""Telling: says to Redis how far an export is, and looks whether what stands there still is what it said.

The files count, not what Redis has: a position that is lost or nonsense is told anew from them. One that
they do not know was told by whoever writes to a copy of the folder: this one is written to no more then.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from redis.exceptions import ResponseError

from guardtier.store.connection import AnyRedis, is_wrong_type
from guardtier.store.exports import Exported, Exports
from guardtier.store.keys import Keys
from guardtier_workers.trail.folder import Folder

log = logging.getLogger(__name__)


class FolderCopied(Exception):
    """Redis knows lines of this export that its folder has not."""


class PositionDamaged(Exception):
    """The key with the positions of a partition is no hash. ``new``: this was found just now."""

    def __init__(self, partition: int, *, new: bool) -> None:
        super().__init__(
            f"{Keys(partition).exported} is no hash, and nothing of this partition is trimmed until it is "
            "deleted, by a person: other exports may lack what Redis trims then"
        )
        self.new = new


class Telling:
    """The positions of one export, those of all partitions."""

    def __init__(self, redis: AnyRedis, partitions: int, folder: Folder) -> None:
        self._exports = Exports(redis, partitions)
        self._partitions = range(partitions)
        self._folder = folder
        self._said: dict[int, bytes | None] = {}  #: partition → what we have told last, or seen to be ours
        self._damaged: dict[int, str] = {}  #: partition → what is wrong, once it was counted

    async def begin(self) -> dict[int, int]:
        """Look at what every partition says; returns how often each one's chain was wrong.

        Raises FolderCopied.
        """
        faults: dict[int, int] = {}
        for partition in self._partitions:
            kept = await self._kept(partition)
            if isinstance(kept, ResponseError):
                continue
            found = Exported.read(kept) if kept else None
            if found is not None:
                await self._is_ours(partition, found)
                new = self._folder.standing.told(partition, found.seq)  # written, and not told any more
                faults[partition], self._said[partition] = found.faults + new, kept
        await self.look_beside()
        return faults

    async def look_beside(self) -> None:
        """Note which other exports there are: where there was none, a damaged key may be made anew."""
        names, before = set(), self._folder.standing.beside
        for partition in self._partitions:
            try:
                names |= await self._exports.names(partition)
            except ResponseError as error:
                if not is_wrong_type(error):
                    raise
                if before is None:
                    return
                names |= before
        self._folder.standing.beside = frozenset(names - {self._folder.export})

    async def check(self, partition: int, kept: bytes | BaseException | None, last: Exported) -> int:
        """What stands in Redis, against what we have said; ``last`` is said again where it is lost.

        Returns 1 where it was found to be damaged just now, else 0. Raises FolderCopied, PositionDamaged.
        """
        if isinstance(kept, BaseException):
            if not is_wrong_type(kept):
                raise kept
            return await self._mend(partition, last)
        if kept is not None and kept == self._said.get(partition):
            self._damaged.pop(partition, None)
            return 0
        found = Exported.read(kept) if kept else None
        if found is not None:
            await self._is_ours(partition, found)  # a Redis that came back with an older one
        new = 0
        if kept and found is None:
            new = self._note(partition, f"{kept[:80]!r} is no position of an export")
        if last.seq:
            await self.tell(partition, last.with_faults(last.faults + new))
        self._damaged.pop(partition, None)
        return new

    async def keep_up(self, partition: int, position: Exported) -> None:
        """Tell it where what we have said last is another one."""
        said = Exported.read(self._said.get(partition) or b"")
        if said is None or not position.seq:
            return
        if (said.entry, said.n, said.faults) != (position.entry, position.n, position.faults):
            with suppress(PositionDamaged):  # that is said whenever it is looked at
                await self.tell(partition, position)

    async def tell(self, partition: int, position: Exported) -> None:
        """Let Redis trim what is on disk. Raises PositionDamaged."""
        try:
            await self._exports.reached(partition, self._folder.export, position)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            raise PositionDamaged(partition, new=False) from error
        self._said[partition] = str(position).encode()

    async def _mend(self, partition: int, last: Exported) -> int:
        """Make a key of another type anew; only where nobody else's position was in it, or Redis would trim
        what that export lacks.
        """
        new = self._note(partition, "it is no hash")
        if self._folder.standing.beside is None or self._folder.standing.beside or not last.seq:
            raise PositionDamaged(partition, new=bool(new))
        position = last.with_faults(last.faults + 1)
        if await self._exports.remake(partition, self._folder.export, position):
            log.error("%s is made anew, by what the files have", Keys(partition).exported)
            self._said[partition] = str(position).encode()
            self._damaged.pop(partition, None)
            return 1
        return new

    def _note(self, partition: int, says: str) -> int:
        if self._damaged.get(partition) == says:
            return 0
        self._damaged[partition] = says
        log.error("%s is damaged: %s; guardtier doctor", Keys(partition).exported, says)
        return 1

    async def _kept(self, partition: int) -> bytes | ResponseError | None:
        try:
            return await self._exports.kept(partition, self._folder.export)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            return error

    async def _is_ours(self, partition: int, found: Exported) -> None:
        folder = self._folder
        if await asyncio.to_thread(folder.knows, found.seq, found.sha256) is not False:
            return
        raise FolderCopied(
            f"Redis (partition {partition}) knows a line {found.seq} of export {folder.export} that "
            f"{folder.path} has not (it ends with {folder.end.n}): another exporter writes to a copy of "
            "this folder, or this is a copy from before (a backup), or its end was cut off. Keep this "
            "folder, and give this steward an empty audit_dir. Where the other one is gone for good this "
            "one may go on, and exports again what Redis still has: guardtier audit forget "
            f"{folder.export}"
        )
