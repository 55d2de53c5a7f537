"""An export whose disk fails: nothing is lost, nothing half written, nothing twice."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from desk import Desk
from guardtier.store.exports import Exports
from guardtier_workers.trail import folder as trail_folder
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind
from trails import exporting, lines, no_room, verified, wrote
from waiting import until


async def test_a_full_disk_loses_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        await wrote(desk, 3)
        with monkeypatch.context() as full:
            full.setattr("os.fsync", no_room)
            with pytest.raises(OSError, match="no room"):
                await exporter.step()
        await exporter.step()

    assert verified(tmp_path) == []
    assert [line["n"] for line in lines(tmp_path) if line["kind"] == "line"] == [1, 2, 3, 4, 5, 6]


async def test_a_disk_that_is_full_when_a_file_begins_leaves_none_without_its_first_line(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wrote(desk, 12)
    async with exporting(desk, tmp_path, most_bytes=500) as exporter:
        await exporter.step()
        await wrote(desk, 3)
        with monkeypatch.context() as full:
            full.setattr(trail_folder, "_sync", no_room)
            with pytest.raises(OSError, match="no room"):
                await exporter.step()
        await exporter.step()

    assert len(files_in(tmp_path)) == 2
    assert verified(tmp_path) == []
    assert [line["n"] for line in lines(tmp_path) if line["kind"] == "line"] == list(range(1, 16))


async def test_a_folder_that_could_not_be_opened_is_tried_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path, most_bytes=1 << 20)
    with monkeypatch.context() as full:
        full.setattr(trail_folder, "_sync", no_room)
        with pytest.raises(OSError, match="no room"):
            folder.open()

    folder.open()
    folder.close()

    assert verified(tmp_path) == []


async def test_a_folder_whose_first_file_could_not_begin_is_written_to_once_there_is_room(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path, most_bytes=1 << 20)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="no room"):
            folder.open()

    folder.open()
    folder.append([(Kind.NOTE, {"says": "there is room"})])
    folder.close()

    assert [line["kind"] for line in lines(tmp_path)] == ["open", "note"]


async def test_what_can_t_be_written_down_yet_counts_once(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        await desk.redis.xadd(desk.keys.audit, {"id": "a.0", "event": "released"})
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", no_room)
            for _ in range(3):
                with pytest.raises(OSError, match="no room"):
                    await exporter.step()
        await exporter.step()

        assert exporter.faults == 1
        assert caplog.text.count("is inserted at entry") == 1
        (behind,) = await Exports(desk.redis, 1).behind()
        assert behind.reached is not None
        assert behind.reached.faults == 1


async def test_a_file_that_can_t_begin_leaves_no_checkpoint_at_each_try(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is open can be written to where the folder takes no other one."""
    await wrote(desk, 12)
    async with exporting(desk, tmp_path, most_bytes=500) as exporter:
        await exporter.step()
        await wrote(desk, 3)
        with monkeypatch.context() as full:
            full.setattr(trail_folder, "_sync", no_room)
            for _ in range(3):
                with pytest.raises(OSError, match="no room"):
                    await exporter.step()

        kinds = [line["kind"] for line in lines(tmp_path)]
        assert kinds.count("checkpoint") == 1


async def test_half_a_line_that_could_not_be_taken_back_is_not_continued(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(handle: int, data: bytes) -> int:
        write(handle, bytes(data)[:100])
        return no_room(handle)

    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        await wrote(desk, 3)
        with monkeypatch.context() as full:
            full.setattr(os, "write", half)
            full.setattr(os, "ftruncate", lambda handle, _: no_room(handle))
            with pytest.raises(OSError, match="no room"):
                await exporter.step()
        await exporter.step()

        assert exporter.faults == 0

    assert verified(tmp_path) == []


@pytest.mark.parametrize(("change", "what"), [("cut", "truncated"), ("put behind", "inserted")])
async def test_another_hand_in_the_file_that_is_written_is_found_at_the_next_line(
    desk: Desk, tmp_path: Path, change: str, what: str
) -> None:
    await wrote(desk, 5)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        (file,) = files_in(tmp_path)
        found = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(found[:-2] if change == "cut" else [*found, b"{}\n"]))
        await wrote(desk, 2)
        await exporter.step()

        assert exporter.faults == 1

    assert what in {one.what for one in verified(tmp_path) if "another hand" in one.says}
    assert [line["n"] for line in lines(tmp_path) if line.get("n")][-2:] == [6, 7]


async def test_a_full_disk_is_an_error_that_names_its_folder(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a write the system says no name."""
    monkeypatch.setattr(os, "fsync", no_room)
    stop, exporter = asyncio.Event(), Exporter(desk.url, 1, Folder(tmp_path, most_bytes=1 << 20))
    running = asyncio.create_task(exporter.run(stop))
    await until(lambda: exporter.trouble)
    stop.set()
    await running

    (told,) = [one for one in caplog.records if "can't be exported" in one.message]
    assert (told.levelname, f"(audit_dir: {tmp_path})" in told.message) == ("ERROR", True)
