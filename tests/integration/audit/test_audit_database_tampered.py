"""What was done to the audit trail's database is named, and ends no copying."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from archives import change, checked, export, wrote
from desk import Desk
from guardtier.store.exports import Exports
from guardtier_workers.trail import copying
from guardtier_workers.trail import exporter as exporting
from guardtier_workers.trail.archive import LINES, Archive, Query
from guardtier_workers.trail.database import check_rows
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.verify import Anchor, TrailCheck
from waiting import until

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


@pytest.mark.parametrize(("seq", "restarted"), [(2**62, False), (13, True), (13, False), (-7, True)])
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
