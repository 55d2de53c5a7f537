"""The export of the audit streams: whole and in order, through restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from desk import Desk
from guardtier.store.chain import Link
from guardtier.store.exports import Exported, Exports
from guardtier.store.upkeep import Upkeep
from guardtier_workers.trail import exporter as module
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder, FolderHeld
from processes import Processes
from trails import compared, exported, exporting, lines, verified, wrote
from waiting import until


async def test_every_line_is_exported_once_in_order_and_as_it_stands(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 30)
    await exported(desk, tmp_path)
    await wrote(desk, 5)
    await desk.redis.xadd(desk.keys.dead, {"x": "y"})
    await exported(desk, tmp_path)

    told = [line for line in lines(tmp_path) if line["kind"] == "line"]

    assert [line["n"] for line in told] == list(range(1, 36))
    assert told[0]["fields"]["event"] == "assessed"  # type: ignore[index]
    assert verified(tmp_path) == await compared(desk, tmp_path) == []


async def test_bytes_that_are_no_text_come_back_as_they_were(desk: Desk, tmp_path: Path) -> None:
    delivery = await desk.given(desk.keys.answers, "policies", id="a1.0")
    await desk.ledger.done(
        delivery, says=("tested", "a", b"\xff\x00", "quote", '","sha256":"' + "0" * 64 + '"}')
    )

    await exported(desk, tmp_path)

    assert await compared(desk, tmp_path) == []


async def test_files_end_by_size_and_the_chain_goes_on(desk: Desk, tmp_path: Path) -> None:
    for _ in range(5):
        await wrote(desk, 12)
        await exported(desk, tmp_path, most_bytes=2000)

    assert len(files_in(tmp_path)) >= 3
    assert verified(tmp_path) == []
    files_in(tmp_path)[0].unlink()
    assert verified(tmp_path) == [], "old files may be taken away"
    files_in(tmp_path)[1].unlink()
    assert {"missing"} == {found.what for found in verified(tmp_path)}


async def test_a_torn_last_line_is_cut_off_and_exported_again(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    file = files_in(tmp_path)[0]
    whole = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(whole[:3]) + whole[3][:50])
    assert [found.what for found in verified(tmp_path)] == ["torn"]
    await desk.redis.delete(desk.keys.exported)  # what is torn was never told

    await exported(desk, tmp_path)

    assert verified(tmp_path) == []
    assert [line["n"] for line in lines(tmp_path) if line["kind"] == "line"] == [1, 2, 3]


async def test_a_file_without_one_whole_line_is_set_aside(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    (tmp_path / "audit-000000000099.jsonl").write_bytes(b'{"seq":99,')

    await exported(desk, tmp_path)

    assert verified(tmp_path) == []


async def test_stewards_that_are_killed_leave_each_line_once(
    desk: Desk, tmp_path: Path, processes: Processes
) -> None:
    def exported_lines() -> list[object]:
        return [line["n"] for line in lines(tmp_path) if line["kind"] == "line"]

    count = 0
    for _ in range(2):
        steward = processes.worker("steward", desk.url, GUARDTIER_AUDIT_DIR=str(tmp_path))
        before = len(whole_lines(tmp_path))
        while len(whole_lines(tmp_path)) <= before + 100:
            await wrote(desk, 20)
            count += 20
        processes.kill(steward)
    await exported(desk, tmp_path)

    assert exported_lines() == list(range(1, count + 1))
    assert verified(tmp_path) == await compared(desk, tmp_path) == []


def whole_lines(path: Path) -> list[bytes]:
    return [line for file in path.glob("audit-*.jsonl") for line in file.read_bytes().split(b"\n")[:-1]]


async def test_one_exporter_has_a_folder_and_the_next_one_waits(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    await wrote(desk, 3)
    stop = asyncio.Event()
    async with exporting(desk, tmp_path) as first:
        with pytest.raises(FolderHeld):
            Folder(tmp_path, most_bytes=1 << 20).open()
        second = Exporter(desk.url, 1, Folder(tmp_path, most_bytes=1 << 20))
        running = asyncio.create_task(second.run(stop))
        await first.step()
    await wrote(desk, 3)

    await until(lambda: len([line for line in lines(tmp_path) if line["kind"] == "line"]) == 6)
    stop.set()
    await running

    assert verified(tmp_path) == []


async def test_nothing_is_trimmed_that_is_not_exported(desk: Desk, tmp_path: Path) -> None:
    upkeep = Upkeep(desk.redis, 1)
    future = 2**43
    for number in range(1, 300):  # Redis drops whole nodes of about 100
        await desk.redis.xadd(desk.keys.audit, {"id": "old", "event": "x"}, id=f"{number}-0")
    await wrote(desk, 3)

    await upkeep.forget_before(future, exporting=True)
    assert await desk.redis.xlen(desk.keys.audit) == 302, "nothing is exported yet"
    await desk.redis.hset(desk.keys.exported, "0a0b0c0d", f"150-0 0 151 {'0' * 64} 1 0")
    await upkeep.forget_before(future)
    assert 150 <= await desk.redis.xlen(desk.keys.audit) <= 260
    await desk.redis.hset(desk.keys.exported, "0a0b0c0d", "rubbish")
    left = await desk.redis.xlen(desk.keys.audit)
    await upkeep.forget_before(future)
    assert await desk.redis.xlen(desk.keys.audit) == left, "how far it is can't be read"


async def test_the_last_line_stays_whatever_its_age(desk: Desk) -> None:
    await wrote(desk, 300)

    await Upkeep(desk.redis, 1).forget_before(2**43)

    assert 1 <= await desk.redis.xlen(desk.keys.audit) < 300
    assert (await desk.redis.xrevrange(desk.keys.audit, count=1))[0][1][b"n"] == b"300"


async def test_how_far_an_export_is_behind_is_known(desk: Desk, tmp_path: Path) -> None:
    exports = Exports(desk.redis, 1)
    assert await exports.behind() == []
    await wrote(desk, 4)
    await exported(desk, tmp_path)
    await wrote(desk, 3)

    (behind,) = await exports.behind()

    assert (behind.lines, behind.reached and behind.reached.n) == (3, 4)
    assert await exports.forget(behind.export) == 1
    assert await exports.behind() == []


def test_a_position_is_read_as_it_is_written() -> None:
    position = Exported("17-1", 7, 9, "a" * 64, 5)

    assert Exported.read(str(position).encode()) == position
    assert Exported.read(b"17-1 7") is None
    assert str(Link()) == ""
