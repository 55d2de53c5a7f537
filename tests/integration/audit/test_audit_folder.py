"""An exporter's folder is taken from under it: its lock, all of it; or another one is in its place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from desk import Desk
from guardtier_workers.trail import exporter as module
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.folder import LOCK, Folder, FolderHeld
from trails import compared, exported, exporting, lines, verified, wrote
from waiting import until


def written(path: Path) -> list[object]:
    return [line["n"] for line in lines(path) if line["kind"] == "line"]


async def test_an_exporter_whose_lock_was_taken_away_yields_to_who_made_it_anew(
    desk: Desk, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as first:
        await first.step()
        (tmp_path / LOCK).unlink()
        async with exporting(desk, tmp_path) as second:
            await wrote(desk, 3)
            with pytest.raises(FolderHeld, match="another exporter has made it anew"):
                await first.step()
            await second.step()

    assert written(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert verified(tmp_path) == await compared(desk, tmp_path) == []


async def test_an_exporter_whose_lock_was_taken_away_makes_it_anew(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        (tmp_path / LOCK).unlink()
        await wrote(desk, 3)
        await exporter.step()
        with pytest.raises(FolderHeld):
            Folder(tmp_path, most_bytes=1 << 20).open()

    assert verified(tmp_path) == []


async def test_who_yielded_goes_on_once_the_other_one_has_ended(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    stop, folder = asyncio.Event(), Folder(tmp_path, most_bytes=1 << 20)
    first = Exporter(desk.url, 1, folder)
    running = asyncio.create_task(first.run(stop))
    await wrote(desk, 3)
    await until(lambda: tmp_path.exists() and len(written(tmp_path)) == 3)
    (tmp_path / LOCK).unlink()
    async with exporting(desk, tmp_path) as second:
        await wrote(desk, 3)
        await until(lambda: "another exporter" in (first.trouble or ""))
        await second.step()
    await wrote(desk, 3)
    await until(lambda: len(written(tmp_path)) == 9)
    stop.set()
    await running

    assert first.trouble is None
    assert verified(tmp_path) == await compared(desk, tmp_path) == []


async def test_another_folder_in_its_place_is_gone_on_with_by_what_it_has(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that was mounted meanwhile: what is there counts, and what it lacks is exported again."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    there, other = tmp_path / "audit", tmp_path / "other"
    await wrote(desk, 3)
    await exported(desk, other)
    stop, folder = asyncio.Event(), Folder(there, most_bytes=1 << 20)
    running = asyncio.create_task(Exporter(desk.url, 1, folder).run(stop))
    await until(lambda: there.exists() and len(written(there)) == 3)
    there.rename(tmp_path / "away")
    other.rename(there)
    await wrote(desk, 3)
    await until(lambda: len(written(there)) == 6)
    stop.set()
    await running

    assert verified(there) == []


async def test_a_new_folder_beside_another_export_is_told(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A volume that is not mounted looks like that."""
    await wrote(desk, 3)
    await exported(desk, tmp_path / "a")
    assert "Is it the folder that is meant" not in caplog.text

    await exported(desk, tmp_path / "b")

    assert "Is it the folder that is meant" in caplog.text
