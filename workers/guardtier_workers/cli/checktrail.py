"""What doctor looks at where the audit trail is exported to: the folder, and the database."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from guardtier.errors import ConfigError, TierUnavailable
from guardtier.settings import Settings
from guardtier_workers.cli.found import Found
from guardtier_workers.trail.files import strange_in

MIB = 1024 * 1024
FILES = 2  #: so many more of the export's files there should be room for
FOLDER, DATABASE = "audit folder", "audit database"


def trail(settings: Settings) -> Iterator[Found]:
    """By these settings, on this machine, as this user: a steward may run elsewhere, or as another one."""
    if settings.audit_dir is not None:
        yield from _folder(settings.audit_dir, settings.audit_file_bytes)
    elif settings.audit_sql is not None:
        says = "audit_sql is a copy of what is exported: a steward does not start without audit_dir as well"
        yield Found("failure", DATABASE, says)
    if settings.audit_sql is not None:
        yield from _database(settings.audit_sql)


def _folder(path: Path, file_bytes: int) -> Iterator[Found]:
    try:
        about = path.stat()
        if not stat.S_ISDIR(about.st_mode):
            yield Found("failure", FOLDER, f"{path} is no folder: nothing is exported to it")
            return
        yield from _folder_there(path, about, file_bytes)
    except FileNotFoundError:
        yield _folder_to_be(path)
    except (OSError, ConfigError) as error:
        yield Found("warning", FOLDER, f"{path} can't be looked at by this user: {error}")


def _folder_to_be(path: Path) -> Found:
    above = next((one for one in path.absolute().parents if one.exists()), Path("/"))
    says = f"there is no {path} on this machine: the steward makes it where it may"
    if os.access(above, os.W_OK | os.X_OK):
        return Found("warning", FOLDER, f"{says}; is its volume there?")
    return Found("warning", FOLDER, f"{says}, and this user may not write to {above}")


def _folder_there(path: Path, about: os.stat_result, file_bytes: int) -> Iterator[Found]:
    wrong = False
    if not os.access(path, os.W_OK | os.X_OK):
        wrong, mine = True, about.st_uid == os.geteuid() or os.geteuid() == 0
        whose = "" if mine else f" (it belongs to uid {about.st_uid}: run doctor as its steward's user)"
        says = f"{path} can't be written to{whose}: is it mounted read-only, or its mode wrong?"
        yield Found("failure" if mine else "warning", FOLDER, says)
    if about.st_mode & stat.S_IWOTH:
        wrong = True
        yield Found("warning", FOLDER, f"{path} can be written to by everybody: chmod o-w {path}")
    if (full := _room(path, file_bytes)) is not None:
        wrong = True
        yield full
    if strange := strange_in(path):
        wrong, few = True, ", ".join(strange[:3])
        yield Found("warning", FOLDER, f"{path}: {few} is named like a file of an export, and is none")
    if not wrong:
        yield Found("ok", FOLDER, str(path))


def _room(path: Path, file_bytes: int) -> Found | None:
    there = os.statvfs(path)
    left = there.f_bavail * there.f_frsize
    if left < MIB or (there.f_files and not there.f_favail):
        says = f"the disk of {path} is full: Redis keeps what is not exported until it is full itself"
        return Found("failure", FOLDER, says)
    if left < FILES * file_bytes:
        says = f"the disk of {path} has {left // MIB} MiB left: {FILES} more files of the export need "
        return Found("warning", FOLDER, f"{says}{FILES * file_bytes // MIB}")
    return None


def _database(url: str) -> Iterator[Found]:
    try:
        from guardtier_workers.trail.archive import Archive

        archive = Archive.at(url)
    except ConfigError as error:
        yield Found("failure", DATABASE, error.message)
        return
    try:
        is_made, file = archive.is_made(), archive.file
        if file is not None and (says := _unwritable(file)):
            yield Found("failure", DATABASE, says)
        elif is_made:
            yield Found("ok", DATABASE, archive.name)
        else:
            says = f"{archive.name} has no line yet: the steward makes the table when it copies the first"
            yield Found("warning", DATABASE, says)
    except TierUnavailable as error:
        yield Found(
            "failure", DATABASE, f"{error.message}. Nothing is lost: files and Redis have the lines"
        )
    finally:
        archive.close()


def _unwritable(file: Path) -> str:
    """Why SQLite can't write to it; its journal stands beside it. "" where it can."""
    if not file.parent.is_dir():
        return f"there is no folder {file.parent}: SQLite makes none"
    wrong = [one for one in (file.parent, file) if one.exists() and not os.access(one, os.W_OK)]
    return f"{wrong[0]} can't be written to by this user" if wrong else ""
