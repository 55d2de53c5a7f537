"""Filelock: processes that write a file anew do so one after the other, all of it or nothing."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from guardtier.errors import ConfigError

WAIT_SECONDS = 10.0  #: for whoever has it; it is held for milliseconds
_PAUSE = 0.02


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold the lock of this file, which is another one beside it (``.NAME.lock``) and stays there.

    The file itself can't be it: each change replaces it. A process that ends lets go of it. Raises
    ConfigError where it can't be had within WAIT_SECONDS.
    """
    lock = file.with_name(f".{file.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(
            f"{file} can't be changed: {lock.name} beside it can't be opened ({error.strerror})",
            field="file",
        ) from error
    try:
        _leave_to_its_owner(handle, file)
        _wait(handle, lock)
        yield
    finally:
        os.close(handle)


def write_whole(file: Path, text: str, mode: int, like: os.stat_result | None = None) -> None:
    """All of it or nothing. ``like``: whose it was, and with which mode: its readers are the same then.

    Raises ConfigError where it can't be written.
    """
    draft = file.with_name(f"{file.name}.new")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            if like is not None and os.geteuid() == 0:
                os.fchown(handle, like.st_uid, like.st_gid)
            elif like is not None and like.st_gid != os.getegid():
                with suppress(PermissionError):  # who is of that group may give it to it
                    os.fchown(handle, -1, like.st_gid)
            os.fchmod(handle, mode if like is None else stat.S_IMODE(like.st_mode))
            out.write(text)
            out.flush()
            os.fsync(handle)
        draft.replace(file)
    except OSError as error:
        raise ConfigError(f"{file} can't be written ({error.strerror})", field="file") from error


def _wait(handle: int, lock: Path) -> None:
    ends = monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if monotonic() >= ends:
                raise ConfigError(
                    f"another process has held {lock} for {WAIT_SECONDS:.0f} seconds: end it, or wait",
                    field="file",
                ) from error
        except OSError as error:
            raise ConfigError(f"{lock} can't be locked ({error.strerror})", field="file") from error
        sleep(_PAUSE)


def _leave_to_its_owner(handle: int, file: Path) -> None:
    """What root tends for somebody, that one can lock as well."""
    if os.geteuid() == 0 and file.exists():
        if os.fstat(handle).st_nlink > 1:  # another's file, which whose directory this is would be given
            raise ConfigError(f"the lock of {file} has another name as well: take it away", field="file")
        about = file.stat()
        os.fchown(handle, about.st_uid, about.st_gid)
