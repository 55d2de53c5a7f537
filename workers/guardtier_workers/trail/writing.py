"""Writing: what an exporter puts into its folder, and what it says and counts of what is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

from guardtier.store.chain import Fault
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import SIGN_LINES, SIGN_SECONDS, Kind
from guardtier_workers.trail.stream import Stream

log = logging.getLogger(__name__)

Line = tuple[Kind, Mapping[str, Any]]


class Writing:
    """Writes to one folder. What is wrong is said at once, and counts once it is written down."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._sign_at = 0.0
        self._of_files: Stream | None = None  #: that counts what is wrong with the files
        self.faults = 0  #: since the start

    def begin(self, first: Stream) -> None:
        """From now on, what is wrong with the files counts as this stream's."""
        self._of_files = first

    def say_if_new(self) -> None:
        """Where others export as well: a volume that is not mounted looks like a folder that is new."""
        folder = self._folder
        if folder.is_new and folder.standing.beside:
            says = "%s has no line of any export: export %s begins there, and Redis waits for %s as well. "
            says += "Is it the folder that is meant, and its volume there? guardtier audit status"
            log.warning(says, folder.path, folder.export, ", ".join(sorted(folder.standing.beside)))

    async def lines(self, lines: Sequence[Line]) -> None:
        """Write them: all, or none. Raises OSError, FolderHeld."""
        self._taken(await asyncio.to_thread(self._folder.append, lines))

    async def faults_of(self, stream: Stream, faults: Sequence[Fault], **more: str) -> None:
        """Write down what is wrong with a stream, where there is no line of it to write."""
        await self.lines([(kind, {**values, **more}) for kind, values in found(stream, faults)])
        self.written(stream, len(faults))

    def written(self, stream: Stream, faults: int) -> None:
        """The lines of what was found are on disk."""
        stream.logged.clear()
        self.count(stream, faults)

    def count(self, stream: Stream, faults: int) -> None:
        self.faults += faults
        stream.faults += faults

    @property
    def is_to_sign(self) -> bool:
        """While lines come, so often and for so many that a long tail is nothing of ours."""
        unsigned = self._folder.unsigned
        return unsigned >= SIGN_LINES or bool(unsigned and monotonic() >= self._sign_at)

    async def sign(self) -> None:
        """Sign for what is written. Raises OSError, FolderHeld."""
        self._sign_at = monotonic() + SIGN_SECONDS
        if self._folder.unsigned:
            self._taken(await asyncio.to_thread(self._folder.checkpoint))

    def _taken(self, says: str) -> None:
        if not says:
            return
        log.error("the audit trail: %s; guardtier audit verify", says)
        if self._of_files is not None:
            self.count(self._of_files, 1)


def found(stream: Stream, faults: Iterable[Fault]) -> list[Line]:
    """The lines of what is wrong. It is logged, once: what can't be written is tried again."""
    made: list[Line] = []
    for fault in faults:
        partition = stream.keys.partition
        if fault not in stream.logged:
            says = "the audit trail of partition %d is %s at entry %s (n %d): %s"
            log.error(says, partition, fault.kind, fault.entry, fault.n, fault.says)
            stream.logged.add(fault)
        told = {"what": fault.kind, "n": fault.n, "entry": fault.entry, "says": fault.says}
        made.append((Kind.FAULT, {"partition": partition, **told}))
    return made
