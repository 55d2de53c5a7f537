"""Files: those of an export in their order, line by line."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from guardtier.errors import ConfigError
from guardtier_workers.trail.lines import Kind, Sealed

log = logging.getLogger(__name__)

_NAME = re.compile(r"audit-([0-9]{12,16})\.jsonl")
_CHECKPOINT = b'"kind":"checkpoint"'


def files_in(path: Path) -> list[Path]:
    """The files of a trail, the oldest first. Raises ConfigError where there is no such folder."""
    if not path.is_dir():
        raise ConfigError(f"there is no folder {path}: name the one that the tier exports to", field="dir")
    with _said(path):
        return sorted(name for name in path.iterdir() if _NAME.fullmatch(name.name) and name.is_file())


def strange_in(path: Path) -> list[str]:
    """What is named like a file of an export, and is none: nobody reads it."""
    with _said(path):
        return sorted({name.name for name in path.glob("audit-*.jsonl")} - {n.name for n in files_in(path)})


def first_of(name: str) -> int | None:
    """The number of a file's first line, by its name; None for what is no such name."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def file_of(path: Path, seq: int) -> str:
    """The file that this line is in, or will be: each has the number of its first line as its name."""
    names = [name.name for name in files_in(path)]
    return max(
        (name for name in names if name <= f"audit-{seq:012}.jsonl"), default=names[0] if names else ""
    )


def lines_in(name: Path) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a file, numbered from 1, without their ends, and whether they have one: a torn last one
    has not. Raises ConfigError.
    """
    with _said(name), name.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield number, raw.rstrip(b"\n"), raw.endswith(b"\n")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", field="dir") from error


def line_at(path: Path, seq: int) -> Sealed | None:
    """This line of a trail; None where the file that had it is not there."""
    name, begins = file_of(path, seq), b'{"seq":%d,' % seq
    for _, raw, _whole in lines_in(path / name) if name else ():
        if raw.startswith(begins):
            return Sealed.read(raw)
    return None


def lines_from(path: Path, first: str, offset: int) -> Iterator[tuple[Sealed, tuple[str, int]]]:
    """The whole lines from this place on, each with the place behind it."""
    for name in files_in(path):
        if name.name < first:
            continue
        with name.open("rb") as file:
            at = offset if name.name == first else 0
            file.seek(at)
            for raw in file:
                at += len(raw)
                line = Sealed.read(raw.rstrip(b"\n")) if raw.endswith(b"\n") else None
                if line is not None:
                    yield line, (name.name, at)


def checkpoint_in(files: Sequence[Path]) -> int:
    """The number of the last checkpoint in these files; 0 for none. Each should end with one: where it does
    not, it was taken away while it was written, or another hand has been there.
    """
    for name in reversed(files):
        checkpoint = 0
        for _, raw, _whole in lines_in(name):
            line = Sealed.read(raw) if _CHECKPOINT in raw[:64] else None
            if line is not None and line.kind == Kind.CHECKPOINT:
                checkpoint = line.seq
        if checkpoint:
            return checkpoint
    return 0


def cut_torn(handle: int, name: Path) -> int:
    """Cut what was not written to its end off the file; returns the size that is left."""
    size = os.fstat(handle).st_size
    keep = size
    while keep:
        step = min(keep, 65_536)
        block = os.pread(handle, step, keep - step)
        end = block.rfind(b"\n")
        if end >= 0:
            keep += end + 1 - step
            break
        keep -= step
    if keep < size:
        log.warning("%s: %d bytes of a torn last line are cut off", name, size - keep)
        os.ftruncate(handle, keep)
        os.fsync(handle)
    return keep
