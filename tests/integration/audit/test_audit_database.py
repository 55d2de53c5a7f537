"""The audit trail in a database: SQLite, and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from archives import change, checked, export, wrote
from desk import Desk
from guardtier.errors import TierUnavailable
from guardtier.state import State
from guardtier_workers.trail import archive as module
from guardtier_workers.trail import table
from guardtier_workers.trail.archive import LINES, Archive, Query
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from waiting import until

DOCS = Path(__file__).parents[3] / "docs" / "audit.md"


async def test_lines_are_copied_once_and_found_again(desk: Desk, tmp_path: Path, archive: Archive) -> None:
    await wrote(desk, 20)
    name = await export(desk, tmp_path / "out", archive)
    await wrote(desk, 5)
    await export(desk, tmp_path / "out", archive)
    archive.copy(tmp_path / "out", name, archive.last(name))
    second = Archive(archive._engine)  # a steward that was restarted
    second.copy(tmp_path / "out", name, archive.last(name))

    assert checked(archive, name) == []
    assert len(archive.search(Query(event="released", fleet="web"))) == 25
    assert len(archive.search(Query(event="released", limit=7))) == 7
    assert archive.search(Query(fleet="ops")) == []
    assert len(archive.search(Query(agent="agent-1", since=0, until=2**43))) == 25
    assert archive.search(Query(text="100%_\\")) == []


async def test_the_queries_of_the_docs_are_answered(desk: Desk, tmp_path: Path, url: str) -> None:
    archive = Archive.at(url)
    action = await desk.bring(State.REDEEMED)
    await export(desk, tmp_path / "out", archive)
    archive.close()
    blocks = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    other = "-- PostgreSQL" if url.startswith("sqlite") else "-- SQLite"
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(block.replace("a1b2.0", action.id)).fetchall()
            for block in blocks
            if not block.startswith(other)
        ]
    engine.dispose()

    one, counted, ran, told = found
    assert [row[0] for row in one] == ["assessed", "parked", "approved", "redeemed"]
    assert [tuple(row) for row in counted] == [("alice", "approved", 1)]
    assert [tuple(row) for row in ran] == [(action.id, "agent-1", "alice")]
    assert [row[1:3] for row in told] == [("approved", action.id)]


async def test_what_a_database_cannot_take_is_kept_in_the_line(
    desk: Desk, tmp_path: Path, archive: Archive
) -> None:
    await desk.redis.xadd(desk.keys.audit, {"id": "a\0b" * 500, "event": "x" * 5000, b"\xff": b"\xfe\0"})
    name = await export(desk, tmp_path / "out", archive)

    assert checked(archive, name) == []
    assert len(archive.search(Query())) == 1


async def test_a_database_that_is_away_holds_up_nothing_and_is_said(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await wrote(desk, 5)
    nowhere = Archive.at("postgresql+psycopg://audit@127.0.0.1:1/none")
    stop, folder = asyncio.Event(), Folder(tmp_path / "out", most_bytes=4096)
    exporter = Exporter(desk.url, 1, folder, copies=nowhere)
    running = asyncio.create_task(exporter.run(stop))
    await until(lambda: exporter.state["database"] and folder.end.n > 10)
    stop.set()
    await running
    nowhere.close()

    archive = Archive.at(f"sqlite:///{tmp_path / 'audit.db'}")
    archive.copy(folder.path, folder.export, folder.end.n)
    assert checked(archive, folder.export) == []
    archive.close()
    assert caplog.text.count("can't be copied") == 1
    assert exporter.trouble is None


async def test_a_database_that_was_away_catches_up(desk: Desk, tmp_path: Path, archive: Archive) -> None:
    for _ in range(3):
        await wrote(desk, 10)
        name = await export(desk, tmp_path / "out")  # files alone
    await export(desk, tmp_path / "out", archive)

    assert checked(archive, name) == []
    assert len(archive.search(Query(event="released"))) == 30


async def test_a_database_that_came_back_with_less_gets_it_again(
    desk: Desk, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that was promoted lacks what was committed last; the steward that copies runs on."""
    monkeypatch.setattr(module, "BATCH", 20)
    archive = Archive.at(url)
    folder = Folder(tmp_path / "out", most_bytes=4096)
    folder.open()
    exporter = Exporter(desk.url, 1, folder)
    await exporter.begin()
    for _ in range(2):
        await wrote(desk, 15)
        while await exporter.step():
            pass
        await archive.catch_up(folder)

    change(url, sa.delete(LINES).where(LINES.c.seq > 10))
    await wrote(desk, 1)
    await exporter.step()
    await archive.catch_up(folder)
    await exporter.close()

    assert checked(archive, folder.export) == []
    archive.close()


async def test_a_file_of_sqlite_that_was_taken_away_is_made_anew_with_all_lines(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite says that it is read-only, as long as its steward runs."""
    url, file = f"sqlite:///{tmp_path / 'audit.db'}", tmp_path / "audit.db"
    archive = Archive.at(url)
    await wrote(desk, 5)
    await export(desk, tmp_path / "out", archive)
    file.rename(tmp_path / "away.db")
    await wrote(desk, 5)

    name = await export(desk, tmp_path / "out", archive)
    archive.close()

    found = Archive.there(url)
    assert len(found.search(Query(event="released"))) == 10
    assert checked(found, name) == []
    found.close()
    assert "was taken away" in caplog.text


async def test_lines_that_were_moved_away_before_they_were_copied_are_said(
    desk: Desk, tmp_path: Path, archive: Archive
) -> None:
    await wrote(desk, 10)
    await export(desk, tmp_path / "out", archive)
    for _ in range(2):  # while the database was away
        await wrote(desk, 10)
        await export(desk, tmp_path / "out")
    files_in(tmp_path / "out")[1].unlink()
    await wrote(desk, 1)

    await export(desk, tmp_path / "out", archive)

    assert "neither here nor in the files" in (archive.strange or "")


def test_a_server_that_says_nothing_is_told_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        archive = Archive.at(f"postgresql+psycopg://audit@127.0.0.1:{silent.getsockname()[1]}/x")

        with pytest.raises(TierUnavailable, match="timeout"):
            archive.last("0a0b0c0d")
        archive.close()


def test_two_that_make_the_table_at_once_both_have_it(url: str) -> None:
    """Two stewards on their first start: each looks, and finds none."""
    archives = [Archive.at(url) for _ in range(4)]
    together = Barrier(len(archives))

    def made(archive: Archive) -> int:
        together.wait(60)
        return archive.last("0a0b0c0d")

    for _ in range(5):
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            table.LINES.drop(connection, checkfirst=True)
        engine.dispose()
        for archive in archives:
            archive._made = False
        with ThreadPoolExecutor(len(archives)) as pool:
            assert [*pool.map(made, archives)] == [0] * len(archives)
    for archive in archives:
        archive.close()
