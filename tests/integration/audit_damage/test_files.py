"""Files of an export that are copied, or taken away while they are written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from desk import Desk
from exported import FIRST, OTHER, Begun, exported, found, position, wrote
from guardtier.store.exports import Exports
from guardtier_workers.trail import tail
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind, line_of
from guardtier_workers.trail.verify import TrailCheck, lines_of

# -- a folder that was copied --------------------------------------------------------------------


async def test_two_exporters_on_copies_of_one_folder_are_found(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    first = await begun(tmp_path / "a")
    await first.step()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    second = await begun(tmp_path / "b")
    await wrote(desk, 1)
    await first.step()

    for _ in range(2):
        await wrote(desk, 1)
        with pytest.raises(Exception, match="copy of this folder"):
            await second.step()
        await first.step()

    assert (exported(tmp_path / "a", 0), exported(tmp_path / "b", 0)) == (6, 3)
    assert found(tmp_path / "a") == []


async def test_a_folder_from_a_backup_is_refused_until_its_export_is_forgotten(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    exporter = await begun(tmp_path / "a")
    await exporter.step()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    await wrote(desk, 3)
    await exporter.step()
    await exporter.close()

    with pytest.raises(Exception, match="guardtier audit forget"):
        await begun(tmp_path / "b")
    assert exported(tmp_path / "b", 0) == 3

    await Exports(desk.redis, 2).forget(exporter.state["export"])
    restored = await begun(tmp_path / "b")
    await restored.step()
    await restored.close()
    assert exported(tmp_path / "b", 0) == 6
    assert found(tmp_path / "b") == []


async def test_a_redis_that_came_back_with_an_older_position_is_followed(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    exporter = await begun(tmp_path)
    await exporter.step()
    name = exporter.state["export"]
    old = await desk.redis.hget(FIRST.exported, name)  # type: ignore[misc]
    await wrote(desk, 3)
    await exporter.step()
    await desk.redis.hset(FIRST.exported, name, old)  # type: ignore[misc]

    await exporter.step()

    again = await position(desk, exporter)
    await exporter.close()
    assert again is not None
    assert again.n == 6


async def test_from_where_on_the_files_tell_is_said(desk: Desk, begun: Begun, tmp_path: Path) -> None:
    """A folder that was emptied and begun anew, its position with it, looks like a new one but for this."""
    await wrote(desk, 5)
    for entry, _ in (await desk.redis.xrange(FIRST.audit))[:3]:
        await desk.redis.xdel(FIRST.audit, entry)
    exporter = await begun(tmp_path)
    await exporter.step()
    check = TrailCheck()

    assert not [found for raw in lines_of(tmp_path) for found in check.line(raw)[1]]
    assert check.begins == {0: 4}


# -- files that are taken away while they are written --------------------------------------------


@pytest.mark.parametrize("how", ["deleted", "moved"])
async def test_what_is_exported_to_a_file_that_was_taken_away_is_not_lost_unseen(
    desk: Desk, begun: Begun, tmp_path: Path, how: str
) -> None:
    await wrote(desk, 3)
    exporter = await begun(tmp_path)
    await exporter.step()
    (file,) = files_in(tmp_path)
    file.unlink() if how == "deleted" else file.rename(tmp_path / "kept")
    await wrote(desk, 3)

    await exporter.step()
    await exporter.close()

    assert exported(tmp_path, 0) == 3
    assert found(tmp_path) == ["missing"]
    assert exporter.faults == 1


@pytest.mark.parametrize("forged", [False, True])
async def test_what_is_appended_while_no_exporter_runs_is_not_signed_unsaid(
    desk: Desk, begun: Begun, tmp_path: Path, forged: bool
) -> None:
    await wrote(desk, 3)
    exporter = await begun(tmp_path)
    await exporter.step()
    await exporter.close()
    (file,) = files_in(tmp_path)
    whole = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(whole[:-1]))  # killed before its checkpoint
    if forged:
        folder = Folder(tmp_path, most_bytes=1 << 20)
        folder.open()
        entry, fields = (await desk.redis.xrange(FIRST.audit))[-1]
        later = f"{int(entry.partition(b'-')[0]) + 1}-0"
        await wrote(desk, 1)
        folder.append([(Kind.LINE, line_of(0, later, [*fields.items()]))])
        folder.close()

    restarted = await begun(tmp_path)
    await restarted.step()

    assert ("inserted" in found(tmp_path)) is forged
    assert restarted.faults == forged * 2  # once by itself, once by its number


async def test_a_tail_is_compared_for_thousands_of_lines(
    desk: Desk, begun: Begun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "PAGE", 2)
    await wrote(desk, 5)
    await wrote(desk, 5, OTHER)
    exporter = await begun(tmp_path)
    await exporter.step()
    await exporter.close()
    (file,) = files_in(tmp_path)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))

    restarted = await begun(tmp_path)

    assert restarted.faults == 0
