"""An export whose disk fails: nothing is lost, nothing half written, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk import Desk
from guardtier_workers.trail import folder as trail_folder
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from trails import exporting, lines, no_room, verified, wrote


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
