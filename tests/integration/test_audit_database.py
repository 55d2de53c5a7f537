"""The audit trail in a database: SQLite, and a real PostgreSQL that the test starts itself."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from desk import Desk
from guardtier.state import State
from guardtier.store.exports import Exports
from guardtier_workers.supervisor import die_with_parent
from guardtier_workers.trail import archive as module
from guardtier_workers.trail import copying
from guardtier_workers.trail import exporter as exporting
from guardtier_workers.trail.archive import LINES, Archive, Query
from guardtier_workers.trail.database import check_rows
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.verify import Anchor, Finding, TrailCheck
from ports import free_port
from waiting import until, until_sync

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def postgres_tools() -> Path:
    """The newest PostgreSQL here. Fails with the way to get one."""
    if POSTGRES:
        return POSTGRES[-1]
    found = shutil.which("pg_ctl")
    assert found, "no PostgreSQL on this machine: apt-get install postgresql (.ci/run does)"
    return Path(found).parent


def as_nobody(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    uid, gid = 65534, 65534
    os.chown(folder, uid, gid)
    return {"user": uid, "group": gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A database of this session's own, on loopback alone; it can't outlive the tests."""
    # Not below pytest's own folder, which each session that starts closes to all other users.
    tools, folder = postgres_tools(), Path(tempfile.mkdtemp(prefix="gt-pg-"))
    who, data = as_nobody(folder), folder / "data"
    made = [tools / "initdb", "-D", data, "-U", "audit", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
    done = subprocess.run(made, check=False, capture_output=True, cwd=folder, timeout=120, **who)
    assert done.returncode == 0, done.stderr.decode()
    port = free_port()
    given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as said:
        server = subprocess.Popen(
            [tools / "postgres", "-D", data, "-p", str(port), *options],
            cwd=folder,
            stdout=said,
            stderr=said,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
            **who,
        )
    url = f"postgresql+psycopg://audit@127.0.0.1:{port}/postgres"
    try:
        until_sync(lambda: answers(url, server, folder / "log"), 60.0)
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
        shutil.rmtree(folder)


def answers(url: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    assert server.poll() is None, log.read_text()
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    """One server will do: the scripts are tested on each elsewhere."""
    async with Redis.from_url(redis_url) as redis:
        desk = Desk(redis, redis_url)
        await desk.open()
        yield desk
        await desk.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'audit.db'}"
    found: str = request.getfixturevalue("postgres")
    engine = sa.create_engine(found)
    with engine.begin() as connection:
        LINES.drop(connection, checkfirst=True)
    engine.dispose()
    return found


@pytest.fixture
def archive(url: str) -> Iterator[Archive]:
    made = Archive.at(url)
    yield made
    made.close()


async def export(desk: Desk, path: Path, archive: Archive | None = None) -> str:
    folder = Folder(path, most_bytes=4096)
    folder.open()
    exporter = Exporter(desk.url, 1, folder)
    await exporter.begin()
    await exporter.step()
    if archive is not None:
        await archive.catch_up(folder)
    await exporter.close()
    return folder.export


def checked(archive: Archive, name: str, *anchors: Anchor) -> list[Finding]:
    return [*check_rows(archive, name, TrailCheck(anchors=anchors))]


async def wrote(desk: Desk, count: int) -> None:
    for _ in range(count):
        action = desk.action()
        await desk.assess(action)
        await desk.decide(action, "released")


def change(url: str, statement: sa.Executable) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


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


C = LINES.c
TAMPERED = {
    "line": (
        LINES.update().where(C.n == 5).values(line=sa.func.replace(C.line, "web", "ops")),
        ("changed", 5),
    ),
    "column": (LINES.update().where(C.n == 5).values(fleet="ops"), ("changed", 5)),
    "missing": (LINES.delete().where(C.n == 5), ("missing", 5)),
    "moved": (LINES.update().where(C.n == 5).values(seq=1000), ("reordered", 5)),
}


@pytest.mark.parametrize("kind", TAMPERED)
async def test_each_kind_of_tampering_with_the_database_is_named(
    desk: Desk, tmp_path: Path, url: str, kind: str
) -> None:
    archive = Archive.at(url)
    await wrote(desk, 5)
    name = await export(desk, tmp_path / "out", archive)
    statement, told = TAMPERED[kind]

    change(url, statement)
    found = checked(archive, name)
    archive.close()

    assert told in [(one.what, one.n) for one in found]


async def test_a_row_that_is_put_in_is_named(desk: Desk, tmp_path: Path, url: str) -> None:
    archive = Archive.at(url)
    await wrote(desk, 5)
    name = await export(desk, tmp_path / "out", archive)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        row = dict(connection.execute(sa.select(LINES).where(C.n == 5)).mappings().one())
        connection.execute(LINES.insert(), {**row, "seq": row["seq"] + 1000})
    engine.dispose()

    found = checked(archive, name)
    archive.close()

    assert [(one.what, one.n) for one in found] == [("duplicated", 5)]


async def test_a_cut_tail_is_found_by_a_checkpoint(desk: Desk, tmp_path: Path, url: str) -> None:
    archive = Archive.at(url)
    await wrote(desk, 5)
    name = await export(desk, tmp_path / "out", archive)
    check = TrailCheck()
    assert [*check_rows(archive, name, check)] == []
    kept = Anchor(check.last.n, check.last.h, "the checkpoint")

    change(url, LINES.delete().where(C.seq > 6))
    found = checked(archive, name, kept)
    archive.close()

    assert [one.what for one in found] == ["truncated"]


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


@pytest.mark.parametrize(("seq", "restarted"), [(2**62, False), (14, True), (14, False), (-7, True)])
async def test_a_row_that_is_put_in_ahead_does_not_end_the_copying(
    desk: Desk, tmp_path: Path, url: str, seq: int, restarted: bool
) -> None:
    archive = Archive.at(url)
    await wrote(desk, 5)
    name = await export(desk, tmp_path / "out", archive)
    row = {"export": name, "seq": seq, "kind": "line", "event": "released", "line": "{}"}
    change(url, LINES.insert().values(**row))
    if restarted:
        archive.close()
        archive = Archive.at(url)

    for _ in range(2):
        await wrote(desk, 5)
        await export(desk, tmp_path / "out", archive)
        assert (archive.strange is not None) == (seq > 0)
    found = checked(archive, name)
    held = len(archive.search(Query(event="assessed")))
    change(url, LINES.delete().where((C.seq >= seq) if seq > 0 else (C.seq == seq)))
    for _ in range(2):
        await wrote(desk, 1)
        await export(desk, tmp_path / "out", archive)
    mended, strange = checked(archive, name), archive.strange
    archive.close()

    assert held == 15
    assert f"sql:{seq}" in {one.where for one in found}
    assert (mended, strange) == ([], None)


async def test_a_row_that_is_put_in_is_said_by_the_steward_and_its_metrics(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (exporting, copying):
        monkeypatch.setattr(one, "IDLE_SECONDS", 0.02)
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    await wrote(desk, 5)
    stop, folder = asyncio.Event(), Folder(tmp_path / "out", most_bytes=4096)
    copies, archive = Archive.at(url), Archive.at(url)
    exporter = Exporter(desk.url, 1, folder, copies=copies)
    running = asyncio.create_task(exporter.run(stop))
    await until(lambda: folder.export and archive.last(folder.export) > 10)
    row = {"export": folder.export, "seq": 2**62, "kind": "line", "line": "{}"}
    change(url, LINES.insert().values(**row))
    await wrote(desk, 1)

    async def is_told() -> bool:
        (behind,) = await Exports(desk.redis, 1).behind()
        return behind.reached is not None and behind.reached.faults == 1

    await until(is_told)
    stop.set()
    await running
    copies.close()
    archive.close()

    assert "that was not copied" in exporter.state["database"]
    assert "that was not copied" in caplog.text
