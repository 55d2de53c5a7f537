"""What was done to the audit streams in Redis is written down by the export, which goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk import Desk
from guardtier.store.exports import Exports
from trails import exported, exporting, lines, verified, what, wrote


async def test_what_is_wrong_in_redis_is_written_down_and_stops_nothing(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await wrote(desk, 5)
    entries = [entry for entry, _ in await desk.redis.xrange(desk.keys.audit)]
    await desk.redis.xdel(desk.keys.audit, entries[2])
    await desk.redis.xadd(desk.keys.audit, {"id": "a.0", "event": "released"})
    await wrote(desk, 2)

    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        assert exporter.faults == 2

    assert [line["n"] for line in lines(tmp_path) if line["kind"] == "line" and "n" in line] == [
        1,
        2,
        4,
        5,
        6,
        7,
    ]
    assert what(verified(tmp_path)) == [("missing", 3), ("inserted", 0)]
    assert "is missing at entry" in caplog.text
    (behind,) = await Exports(desk.redis, 1).behind()
    assert behind.reached is not None
    assert behind.reached.faults == 2


async def test_a_gap_that_grew_while_no_exporter_ran_is_found(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    await wrote(desk, 3)
    (gone, _) = (await desk.redis.xrange(desk.keys.audit))[3]
    await desk.redis.xdel(desk.keys.audit, gone)

    await exported(desk, tmp_path)

    assert what(verified(tmp_path)) == [("missing", 4)]


async def test_a_server_that_came_back_with_less_is_found_and_followed(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    kept, end = await desk.redis.xrange(desk.keys.audit), await desk.redis.get(desk.keys.chain)
    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        await desk.redis.delete(desk.keys.audit)
        for entry, fields in kept:
            await desk.redis.xadd(desk.keys.audit, fields, id=entry)
        await desk.redis.set(desk.keys.chain, end)
        await exporter.step()
        await wrote(desk, 3)
        await exporter.step()

    told = [line["n"] for line in lines(tmp_path) if line["kind"] == "line"]
    assert told == [1, 2, 3, 4, 5, 6, 4, 5, 6]
    assert [found.what for found in verified(tmp_path)] == ["truncated", "inserted", "restarted"]


@pytest.mark.parametrize("since", [0, 3])
async def test_an_exporter_that_was_started_since_goes_on_behind_what_both_have(
    desk: Desk, tmp_path: Path, since: int
) -> None:
    """A restore, as docs/operations.md tells it: nobody remembers what was exported but the files."""
    await wrote(desk, 5)
    kept, end = await desk.redis.xrange(desk.keys.audit), await desk.redis.get(desk.keys.chain)
    for _ in range(3):  # several files: the line that both have is in none of the last ones
        await wrote(desk, 5)
        await exported(desk, tmp_path, most_bytes=2000)
    await desk.redis.delete(desk.keys.audit)
    for entry, fields in kept:
        await desk.redis.xadd(desk.keys.audit, fields, id=entry)
    await desk.redis.set(desk.keys.chain, end)

    await wrote(desk, since)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        await wrote(desk, 3 - since)
        await exporter.step()

    told = [line["n"] for line in lines(tmp_path) if line["kind"] == "line"]
    assert told == [*range(1, 21), 6, 7, 8]
    assert [found.what for found in verified(tmp_path)] == ["truncated", "inserted", "restarted"]


async def test_an_emptied_server_is_found_and_followed(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()
        await desk.redis.delete(desk.keys.audit, desk.keys.chain)
        await wrote(desk, 3)
        await exporter.step()

    assert [found.what for found in verified(tmp_path)] == ["restarted"]


async def test_lines_of_a_server_whose_clock_is_behind_are_exported(desk: Desk, tmp_path: Path) -> None:
    """A promoted replica lacks the last lines, and dates its first ones before those."""
    await wrote(desk, 3)
    stream, redis = desk.keys.audit, desk.redis
    kept, old = await redis.xrange(stream), await redis.get(desk.keys.chain)
    async with exporting(desk, tmp_path) as exporter:
        await wrote(desk, 2)
        await redis.xadd(stream, {"x": "y"}, id=f"{int(kept[-1][0].partition(b'-')[0]) + 3_600_000}-0")
        await exporter.step()
        await redis.delete(stream)
        for entry, fields in kept:
            await redis.xadd(stream, fields, id=entry)
        await redis.set(desk.keys.chain, old)
        await wrote(desk, 2)
        before = [entry.decode() for entry, _ in await redis.xrange(stream)]
        await redis.xadd(stream, {"x": "z"}, id=f"{int(kept[-1][0].partition(b'-')[0]) + 7_200_000}-0")
        while await exporter.step():
            pass

    told = [line["entry"] for line in lines(tmp_path) if line["kind"] == "line"]
    assert [told.count(entry) for entry in before] == [1] * 5
    assert {"truncated", "restarted"} <= {one.what for one in verified(tmp_path)}


async def test_a_last_line_without_a_number_is_found_once_and_is_no_loss(
    desk: Desk, tmp_path: Path
) -> None:
    """An older worker's, while both run: the chain ends before it."""
    await wrote(desk, 3)
    await desk.redis.xadd(desk.keys.audit, {"id": "a.0", "event": "released"})

    for _ in range(2):
        async with exporting(desk, tmp_path) as exporter:
            for _ in range(3):
                await exporter.step()

    assert len([line for line in lines(tmp_path) if line["kind"] == "line"]) == 4
    assert what(verified(tmp_path)) == [("inserted", 0)]
