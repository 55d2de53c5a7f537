"""An exporter killed between two of its steps, a server that came back: nothing twice, nothing unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk import Desk
from guardtier.store.exports import Behind, Exports
from guardtier_workers.trail.files import files_in
from trails import exported, exporting, lines, verified, wrote


async def behind(desk: Desk) -> Behind:
    (found,) = await Exports(desk.redis, 1).behind()
    return found


async def positions(desk: Desk) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = await desk.redis.hgetall(desk.keys.exported)  # type: ignore[misc]
    return found


async def told(desk: Desk, kept: dict[bytes, bytes]) -> None:
    """As it was before: whoever wrote since was killed before it could tell."""
    await desk.redis.hset(desk.keys.exported, mapping=kept)  # type: ignore[misc]


async def came_back(desk: Desk, keep: int) -> None:
    """Redis with its first lines alone, as from an older copy."""
    page = await desk.redis.xrange(desk.keys.audit)
    entry, fields = page[keep - 1]
    for later, _ in page[keep:]:
        await desk.redis.xdel(desk.keys.audit, later)
    end = b" ".join((fields[b"n"], fields[b"h"], entry))
    await desk.redis.set(desk.keys.chain, end)


async def test_what_was_written_and_not_told_any_more_is_told_though_nothing_comes(
    desk: Desk, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    before = await positions(desk)
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    await told(desk, before)
    assert (await behind(desk)).lines == 3

    async with exporting(desk, tmp_path) as exporter:
        await exporter.step()

        assert (await behind(desk)).lines == 0, "else it is told as late in five minutes"


async def test_a_fault_that_was_written_and_not_told_any_more_still_counts(
    desk: Desk, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    before = await positions(desk)
    await desk.redis.xadd(desk.keys.audit, {"id": "a.0", "event": "released"})
    await exported(desk, tmp_path)
    await told(desk, before)

    for _ in range(2):
        await exported(desk, tmp_path)

    reached = (await behind(desk)).reached
    assert reached is not None
    assert reached.faults == 1


@pytest.mark.parametrize("since", [0, 2])
async def test_that_redis_came_back_with_less_is_told_once(desk: Desk, tmp_path: Path, since: int) -> None:
    await wrote(desk, 5)
    await exported(desk, tmp_path)
    await came_back(desk, keep=3)

    await exported(desk, tmp_path)
    reached = (await behind(desk)).reached
    assert reached is not None
    assert reached.faults == 1, "doctor says so though nothing comes"
    await wrote(desk, since)
    for _ in range(2):
        await exported(desk, tmp_path)

    assert [found.what for found in verified(tmp_path)].count("truncated") == 1
    written = [line["n"] for line in lines(tmp_path) if line["kind"] == "line"]
    assert written == [1, 2, 3, 4, 5, *range(4, 4 + since)]


async def test_lines_that_wait_behind_a_loss_are_not_hidden_by_their_numbers(
    desk: Desk, tmp_path: Path
) -> None:
    """The numbers begin before those that were exported, so they say that nothing is lacking."""
    await wrote(desk, 9)
    await exported(desk, tmp_path)
    await came_back(desk, keep=3)
    await exported(desk, tmp_path)
    await wrote(desk, 2)

    found = await behind(desk)

    assert found.lines > 0
    assert found.waits((found.since or 0) + 400_000) == 400


async def test_a_killed_exporter_leaves_an_empty_file_and_the_next_one_its_lines(
    desk: Desk, tmp_path: Path
) -> None:
    """Killed between making a file and writing its first line."""
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    (tmp_path / "audit-000000000006.jsonl").touch(0o600)
    await wrote(desk, 3)

    await exported(desk, tmp_path)

    assert verified(tmp_path) == []
    assert len(files_in(tmp_path)) == 1, "there was nothing in it"
