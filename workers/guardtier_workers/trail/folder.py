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
from guardtier.store.chain import Link
from guardtier_workers.trail.files import checkpoint_in, cut_torn, files_in, line_at
from guardtier_workers.trail.lines import NOTHING, Kind, Signs, Writer
from guardtier_workers.trail.standing import Standing

log = logging.getLogger(__name__)

LOCK = "export.lock"


class FolderHeld(Exception):
    """Another exporter has this folder, or another folder is in its place: open it once more."""


class Folder:
    """The end of the trail, to write on. Not for two threads at once.

    ``most_bytes``: a file that has grown beyond it is followed by another one; so is one of another day.
    """

    def __init__(self, path: Path, *, most_bytes: int, signs: Signs | None = None) -> None:
        self.path = path
        self.standing = Standing()
        self.faults: list[str] = []  #: what was wrong with the files when they were opened
        self.is_new = False  #: whether there was no line in it when it was opened
        self._most_bytes = most_bytes
        self._writer = Writer(signs=signs)
        self._end = Link(0, NOTHING, "")
        self._checkpoint_at = 0  #: the line of the last checkpoint
        self._file = -1
        self._name = path
        self._gone: tuple[str, str] | None = None  #: what was wrong with the file before this one, in words
        self._size = 0
        self._half = False  #: whether half a line may stand behind that size
        self._day = ""
        self._lock = -1

    @property
    def export(self) -> str:
        """The export's name; "" until it was opened."""
        return self.standing.export

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
        self.standing, self.faults, self._gone, self._half = Standing(), [], None, False
        self._end, self._checkpoint_at, self._day = Link(0, NOTHING, ""), 0, ""
        self._writer.seq, self._writer.sha256 = 0, NOTHING
        found = files_in(self.path)
        while found and not self._resume(found[-1], found[:-1]):
            found.pop()
        self.is_new = not found
        if self.is_new:
            self.standing.export = token_hex(4)
            self._begin()

    def close(self) -> None:
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    def append(self, lines: Iterable[tuple[Kind, Mapping[str, Any]]]) -> str:
        """Write these lines, and come back when they are on disk. All of them, or none: raises OSError.

        Returns what was wrong with the file that they were for; "" for nothing. Raises FolderHeld.
        """
        self._is_ours()
        if self._whats_wrong() is None and (self._size >= self._most_bytes or self._day != _today()):
            if self.unsigned:
                self._write([(Kind.CHECKPOINT, self._checkpoint())])
            self._begin()
        return self._put(lines)

    def checkpoint(self) -> str:
        """Sign for everything so far. Returns and raises what :meth:`append` does."""
        self._is_ours()
        return self._put([(Kind.CHECKPOINT, self._checkpoint())])

    def _put(self, lines: Iterable[tuple[Kind, Mapping[str, Any]]]) -> str:
        if (wrong := self._whats_wrong()) is not None:  # what is written to that one, nobody ever sees
            self._begin()
            self._gone = wrong
        if self._gone is not None:
            what, says = self._gone
            lines = [(Kind.FAULT, {"what": what, "says": says}), *lines]
        self._write(lines)
        gone, self._gone = self._gone, None
        return gone[1] if gone else ""

    def knows(self, seq: int, sha256: str) -> bool | None:
        """Whether this is a line of these files; None where the file that had it was moved away."""
        if seq > self._end.n:
            return False
        line = line_at(self.path, seq)
        return None if line is None else line.sha256 == sha256

    def _is_ours(self) -> None:
        """Take the lock again where another file, or none, is in its place: in the folder that is there now
        somebody else may be writing. Raises FolderHeld.
        """
        try:
            if os.path.samestat(os.stat(self.path / LOCK), os.fstat(self._lock)):
                return
        except FileNotFoundError:
            pass
        lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise FolderHeld(
                f"{self.path / LOCK} was taken away, and another exporter has made it anew: it has the "
                "folder now"
            ) from error
        os.close(self._lock)
        self._lock = lock
        if self._whats_wrong() is not None and files_in(self.path):
            raise FolderHeld(f"{self.path} is another folder than before: what is there counts")

    def _whats_wrong(self) -> tuple[str, str] | None:
        """Whether the file that is written to still is the one in the folder, and as it was left."""
        name, end = self._name.name, self._end.n
        if self._half:
            self._cut()
        mine = os.fstat(self._file)
        try:
            is_there = os.path.samestat(os.stat(self._name), mine)
        except FileNotFoundError:
            is_there = False
        if not is_there:
            says = f"{name} was taken away while it was written: its lines up to {end} with it"
            return "missing", says
        if mine.st_size == self._size:
            return None
        what = "truncated" if mine.st_size < self._size else "inserted"
        says = f"{name} has {mine.st_size} bytes where {self._size} were written, up to line {end}"
        return what, f"{says}: another hand has been there"

    def _cut(self) -> None:
        """Nothing half written may stay, to be continued in the middle of a line."""
        self._half = True
        os.ftruncate(self._file, self._size)
        os.lseek(self._file, 0, os.SEEK_END)
        self._half = False

    def _write(self, lines: Iterable[tuple[Kind, Mapping[str, Any]]]) -> None:
        writer = self._writer
        writer.made.clear()
        kind = Kind.NOTE
        try:
            for kind, values in lines:
                writer.add(kind, values)
            _write_all(self._file, b"".join([line + b"\n" for line in writer.made]))
            os.fsync(self._file)
        except BaseException:
            writer.seq, writer.sha256 = self._end.n, self._end.h
            self._cut()
            raise
        self._size += sum(len(line) + 1 for line in writer.made)
        writer.made.clear()
        self._end = Link(writer.seq, writer.sha256, "")
        if kind is Kind.CHECKPOINT:
            self._checkpoint_at = writer.seq

    def _begin(self) -> None:
        """Begin a file. Its name is the number of its first line."""
        name = self.path / f"audit-{self._end.n + 1:012}.jsonl"
        if name.is_file() and not name.stat().st_size:  # left by a disk that took nothing back
            name.unlink()
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        before, end = (self._file, self._size, self._day, self._name), self._end
        self._file, self._size, self._day, self._name = handle, 0, _today(), name
        try:
            begins = {"export": self.export, "previous": self._end.h}
            self._write([(Kind.OPEN, {**begins, **self.standing.kept()})])
            _sync(self.path)
        except BaseException:  # no file without its first line: this one is begun anew, later
            (self._file, self._size, self._day, self._name), self._end = before, end
            self._writer.seq, self._writer.sha256 = end.n, end.h
            self._half = False
            os.close(handle)
            name.unlink()
            raise
        if before[0] >= 0:
            os.close(before[0])

    def _resume(self, name: Path, before: Sequence[Path]) -> bool:
        """Go on in this file; False where it has not even a first line, and is gone now."""
        handle = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        size = cut_torn(handle, name)
        found = Standing.of(name)
        self.faults += found.faults
        last = found.last
        if last is None:
            os.close(handle)
            _set_aside(name)
            return False
        checkpoint = checkpoint_in(before) if found.checkpoint is None else found.checkpoint
        self.standing, self._checkpoint_at = found, min(checkpoint, last.seq)
        self._writer.seq, self._writer.sha256 = last.seq, last.sha256
        self._end = Link(last.seq, last.sha256, "")
        self._file, self._size, self._name = handle, size, name
        self._day = datetime.fromtimestamp(os.fstat(handle).st_mtime, UTC).date().isoformat()
        return True

    def _checkpoint(self) -> dict[str, Any]:
        beside = self.standing.beside
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "export": self.export,
            **({} if beside is None else {"beside": sorted(beside)}),
            **self.standing.kept(),
        }


def _set_aside(name: Path) -> None:
    """Keep a file without one whole line, but for one that is empty: a killed exporter may leave that."""
    if name.is_file() and not name.stat().st_size:
        name.unlink()
        return
    aside = name.with_suffix(f".{token_hex(4)}.unreadable")
    log.error("%s has no line that can be read: it is %s now", name, aside.name)
    name.rename(aside)


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
