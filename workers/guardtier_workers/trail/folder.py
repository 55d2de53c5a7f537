"""Folder: the files of an export. Appended to and never changed; whole lines, on disk before they count."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from guardtier.errors import ConfigError
from guardtier.store.chain import BEGINNING, Link, Order
from guardtier_workers.trail.files import checkpoint_in, cut_torn, files_in, line_at, lines_in
from guardtier_workers.trail.lines import NOTHING, Kind, Sealed, Signs, Writer, entry_of, positions_of

log = logging.getLogger(__name__)

LOCK = "export.lock"

Position = tuple[str, Link]  #: the last entry, and the chain's last link (which may stand before it)


class FolderHeld(Exception):
    """Another exporter has this folder."""


class Folder:
    """The end of the trail, to write on. Not for two threads at once.

    ``most_bytes``: a file that has grown beyond it is followed by another one; so is one of another day.
    """

    def __init__(self, path: Path, *, most_bytes: int, signs: Signs | None = None) -> None:
        self.path = path
        self.export = ""
        self.positions: dict[int, Position] = {}
        self.faults: list[str] = []  #: what was wrong with the files when they were opened
        self.beside: frozenset[str] | None = None  #: other exports of this tier, by the last checkpoint
        self._most_bytes = most_bytes
        self._writer = Writer(signs=signs)
        self._end = Link(0, NOTHING, "")
        self._checkpoint_at = 0  #: the line of the last checkpoint
        self._file = -1
        self._name = path
        self._gone = ""
        self._size = 0
        self._day = ""
        self._lock = -1

    @property
    def end(self) -> Link:
        """Number and hash of the last line that is on disk."""
        return self._end

    @property
    def unsigned(self) -> int:
        """How many lines stand behind the last checkpoint."""
        return self._end.n - self._checkpoint_at

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self._file >= 0

    def open(self) -> None:
        """Take the folder, and go on behind its last whole line. Raises FolderHeld, ConfigError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"audit_dir: {self.path} can't be used: {error.strerror}", field="audit_dir"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise FolderHeld(str(self.path)) from error
        try:
            self._go_on()
        except BaseException:
            self.close()
            raise

    def _go_on(self) -> None:
        found = files_in(self.path)
        while found and not self._resume(found[-1], found[:-1]):
            found.pop()
        if not self.export:
            self.export = token_hex(4)
            self._begin()

    def close(self) -> None:
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    def append(self, lines: Iterable[tuple[Kind, Mapping[str, Any]]]) -> str:
        """Write these lines, and come back when they are on disk. All of them, or none: raises OSError.

        Returns what was wrong with the file that they were for; "" for nothing.
        """
        if not self._is_there():
            self._begin_beside()
        if self._size >= self._most_bytes or self._day != _today():
            self._write([(Kind.CHECKPOINT, self._checkpoint())])
            self._begin()
        if gone := self._gone:
            lines = [(Kind.FAULT, {"what": "missing", "says": gone}), *lines]
        self._write(lines)
        self._gone = ""
        return gone

    def knows(self, seq: int, sha256: str) -> bool | None:
        """Whether this is a line of these files; None where the file that had it was moved away."""
        if seq > self._end.n:
            return False
        line = line_at(self.path, seq)
        return None if line is None else line.sha256 == sha256

    def _is_there(self) -> bool:
        """Whether the file that is written to still is the one in the folder."""
        try:
            return os.path.samestat(os.stat(self._name), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _begin_beside(self) -> None:
        """Another file for one that was taken away: what is written to that one, nobody ever sees."""
        name, end = self._name.name, self._end.n
        self._begin()
        self._gone = f"{name} was taken away while it was written: its lines up to {end} with it"

    def checkpoint(self) -> None:
        """Sign for everything so far."""
        self._write([(Kind.CHECKPOINT, self._checkpoint())])

    def _write(self, lines: Iterable[tuple[Kind, Mapping[str, Any]]]) -> None:
        writer = self._writer
        writer.made.clear()
        kind = Kind.NOTE
        try:
            for kind, values in lines:
                writer.add(kind, values)
            _write_all(self._file, b"".join([line + b"\n" for line in writer.made]))
            os.fsync(self._file)
        except BaseException:  # nothing half written may stay, to be continued in the middle of a line
            writer.seq, writer.sha256 = self._end.n, self._end.h
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, 0, os.SEEK_END)
            raise
        self._size += sum(len(line) + 1 for line in writer.made)
        writer.made.clear()
        self._end = Link(writer.seq, writer.sha256, "")
        if kind is Kind.CHECKPOINT:
            self._checkpoint_at = writer.seq

    def _begin(self) -> None:
        """Begin a file. Its name is the number of its first line."""
        name = self.path / f"audit-{self._end.n + 1:012}.jsonl"
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        before, end = (self._file, self._size, self._day, self._name), self._end
        self._file, self._size, self._day, self._name = handle, 0, _today(), name
        try:
            self._write([(Kind.OPEN, {"export": self.export, "previous": self._end.h, **self._standing()})])
            _sync(self.path)
        except BaseException:  # no file without its first line: this one is begun anew, later
            (self._file, self._size, self._day, self._name), self._end = before, end
            self._writer.seq, self._writer.sha256 = end.n, end.h
            os.close(handle)
            name.unlink()
            raise
        if before[0] >= 0:
            os.close(before[0])

    def _resume(self, name: Path, before: Sequence[Path]) -> bool:
        """Go on in this file; False where it has not even a first line, and is gone now."""
        handle = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        size = cut_torn(handle, name)
        last, order, checkpoint = None, None, None
        for _, raw, _whole in lines_in(name):
            line = Sealed.read(raw)
            if line is None:
                self.faults.append(f"{name.name}: a line can't be read")
                continue
            values = line.values()
            if order is None:
                order = Order(
                    Link(line.seq - 1, str(values.get("previous", "")), "") if line.seq > 1 else None
                )
                self.export = str(values.get("export", "")) or token_hex(4)
                self.positions = positions_of(values)
            self.faults += [
                f"{name.name}: line {f.n}: {f.says}" for f in order.link(line.link, line.follows)
            ]
            self._note_position(values)
            if line.kind == Kind.CHECKPOINT:
                beside = values.get("beside")
                checkpoint = line.seq
                self.beside = frozenset(map(str, beside)) if isinstance(beside, list) else None
            last = line
        if last is None:
            os.close(handle)
            name.rename(name.with_suffix(".unreadable"))
            return False
        self._checkpoint_at = min(checkpoint_in(before) if checkpoint is None else checkpoint, last.seq)
        self._writer.seq, self._writer.sha256 = last.seq, last.sha256
        self._end = Link(last.seq, last.sha256, "")
        self._file, self._size, self._name = handle, size, name
        self._day = datetime.fromtimestamp(os.fstat(handle).st_mtime, UTC).date().isoformat()
        return True

    def _note_position(self, values: Mapping[str, Any]) -> None:
        found = entry_of(values) if values.get("kind") == Kind.LINE else None
        if found is not None:
            self.moved(found[0], found[1], values.get("n"), values.get("h"))

    def moved(self, partition: int, entry: str, n: int | None, h: str | None) -> None:
        """A line of this partition has been written."""
        link = self.positions.get(partition, ("0-0", BEGINNING))[1]
        self.positions[partition] = (entry, Link(n, h, entry) if n and h else link)

    def _checkpoint(self) -> dict[str, Any]:
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "export": self.export,
            **({} if self.beside is None else {"beside": sorted(self.beside)}),
            **self._standing(),
        }

    def _standing(self) -> dict[str, Any]:
        return {
            "positions": {
                str(partition): {"entry": entry, "n": link.n, "h": link.h, "last": link.entry}
                for partition, (entry, link) in sorted(self.positions.items())
            }
        }


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
