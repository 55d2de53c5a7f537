"""A database that hangs, as one whose server is stopped, or which another process has locked for long."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archives import wrote
from desk import Desk
from guardtier_workers.trail import copying
from guardtier_workers.trail.archive import Archive
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from processes import Processes
from waiting import until


@pytest.fixture
def held(tmp_path: Path) -> Iterator[str]:
    """A database that another process has for itself, and a URL that waits for it for an hour."""
    with closing(sqlite3.connect(tmp_path / "audit.db")) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.execute("BEGIN EXCLUSIVE")
        yield f"sqlite:///{tmp_path / 'audit.db'}?timeout=3600"


async def test_a_database_that_hangs_is_said_and_holds_up_no_export(
    desk: Desk, tmp_path: Path, held: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(copying, "HANGS_SECONDS", 0.05)
    stop, folder = asyncio.Event(), Folder(tmp_path / "out", most_bytes=4096)
    archive = Archive.at(held)
    exporter = Exporter(desk.url, 1, folder, copies=archive)
    running = asyncio.create_task(exporter.run(stop))
    await wrote(desk, 5)

    await until(lambda: "has not answered" in (exporter.state["database"] or "") and folder.end.n > 10)
    stop.set()
    await running

    assert caplog.text.count("can't be copied to the database") == 1


async def test_a_database_that_hangs_keeps_no_steward_from_ending(
    desk: Desk, tmp_path: Path, held: str, processes: Processes
) -> None:
    out = tmp_path / "out"
    given = {"GUARDTIER_AUDIT_DIR": str(out), "GUARDTIER_AUDIT_SQL": held}
    steward = processes.worker("steward", desk.url, **given)
    await wrote(desk, 5)
    await until(lambda: out.exists() and b'"n":10,' in b"".join(f.read_bytes() for f in files_in(out)))

    steward.terminate()

    assert await asyncio.to_thread(steward.wait, 60) == 0
