"""Positions in Redis that are damaged stop no other partition's export."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from desk import Desk
from exported import FIRST, OTHER, Begun, exported, found, position, spoil, wrote
from guardtier.store.exports import Exports
from guardtier.store.upkeep import Upkeep
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.verify import TrailCheck, exports_in, lines_of


async def test_a_damaged_position_stops_no_other_partition(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    await spoil(desk, FIRST)
    await wrote(desk, 2)
    await wrote(desk, 2, OTHER)
    exporter = await begun(tmp_path)

    with pytest.raises(Exception, match="exported"):
        await exporter.step()
    await wrote(desk, 1)
    await wrote(desk, 1, OTHER)
    with pytest.raises(Exception, match="exported"):
        await exporter.step()

    assert (exported(tmp_path, 0), exported(tmp_path, 1)) == (3, 3)
    assert await position(desk, exporter, OTHER) is not None
    assert found(tmp_path) == []
    await exporter.close()


async def test_damaged_positions_are_said_and_the_others_are_told(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    await wrote(desk, 2)
    await wrote(desk, 2, OTHER)
    exporter = await begun(tmp_path)
    await exporter.step()
    await exporter.close()
    await spoil(desk)

    damaged, whole = await Exports(desk.redis, 2).behind()

    assert (damaged.partition, damaged.reached, damaged.lines) == (0, None, 2)
    assert (whole.partition, whole.lines) == (1, 0)
    assert whole.reached is not None
    assert await Exports(desk.redis, 2).forget(whole.export) == 1


async def test_damaged_positions_stop_the_trimming_of_their_partition_alone(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await spoil(desk)
    await wrote(desk, 300)
    await wrote(desk, 300, OTHER)
    await desk.redis.hset(OTHER.exported, "0a0b0c0d", f"{2**43}-0 0 151 {'0' * 64} 1 0")  # type: ignore[misc]

    await Upkeep(desk.redis, 2).forget_before(2**43, exporting=True)

    assert "gt:{0}:exported: damaged" in caplog.text
    assert await desk.redis.xlen(FIRST.audit) == 300
    assert await desk.redis.xlen(OTHER.audit) < 300


@pytest.mark.parametrize("kept", [b"rubbish", None])
async def test_a_position_that_is_nonsense_is_told_anew_from_the_files(
    desk: Desk, begun: Begun, tmp_path: Path, kept: bytes | None
) -> None:
    await wrote(desk, 3)
    exporter = await begun(tmp_path)
    await exporter.step()
    told = await position(desk, exporter)
    assert told is not None
    if kept is None:
        await desk.redis.delete(FIRST.exported)
    else:
        await desk.redis.hset(FIRST.exported, exporter.state["export"], kept)  # type: ignore[misc]

    await exporter.step()
    again = await position(desk, exporter)
    await exporter.close()

    assert again is not None
    assert (again.entry, again.n) == (told.entry, told.n)
    assert again.faults == (1 if kept else 0), "doctor and the metrics show that it was damaged"


async def test_a_position_of_another_type_is_recovered_where_nobody_else_had_one(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    await wrote(desk, 3)
    exporter = await begun(tmp_path)
    await exporter.step()
    await exporter.close()
    await spoil(desk)

    exporter = await begun(tmp_path)
    await exporter.step()
    again = await position(desk, exporter)
    await exporter.close()

    assert again is not None
    assert (again.n, again.faults) == (3, 1)


async def test_a_position_of_another_type_stays_where_another_export_had_one(
    desk: Desk, begun: Begun, tmp_path: Path
) -> None:
    """Else Redis would trim what that one lacks."""
    await desk.redis.hset(FIRST.exported, "0a0b0c0d", f"1-0 0 1 {'0' * 64} 1 0")  # type: ignore[misc]
    await wrote(desk, 3)
    exporter = await begun(tmp_path)
    await exporter.step()
    await spoil(desk)

    with pytest.raises(Exception, match="exported"):
        await exporter.step()
    assert await desk.redis.type(FIRST.exported) == b"list"
    await desk.redis.delete(FIRST.exported)  # a person's decision
    await exporter.step()

    assert await position(desk, exporter) is not None
    await exporter.close()


async def test_a_line_that_waits_long_is_known_though_few_do(desk: Desk) -> None:
    """An exporter that was refused, or does not run: the backlog alone would say so after weeks."""
    await desk.redis.xadd(FIRST.audit, {"id": "a", "event": "x"}, id="1000-0")
    await desk.redis.xadd(FIRST.audit, {"id": "a", "event": "x"}, id="5000-0")
    await desk.redis.set(FIRST.chain, f"7 {'0' * 40} 5000-0")
    told = {name: f"{at}-0 {n} 1 {'0' * 64} 1 0" for name, at, n in (("a", 1000, 6), ("b", 5000, 7))}
    await desk.redis.hset(FIRST.exported, mapping=told)  # type: ignore[misc]

    one, other = await Exports(desk.redis, 2).behind()

    assert (one.lines, one.since, one.waits(305_000)) == (1, 5000, 300.0)
    assert (other.lines, other.since, other.waits(305_000)) == (0, None, 0.0)


@pytest.mark.parametrize("key", ["audit", "chain", "exported"])
async def test_a_damaged_key_is_named_and_the_other_partitions_are_verified(
    desk: Desk, begun: Begun, tmp_path: Path, key: str
) -> None:
    await wrote(desk, 3)
    await wrote(desk, 3, OTHER)
    exporter = await begun(tmp_path)
    await exporter.step()
    await desk.redis.delete(getattr(FIRST, key))
    await desk.redis.rpush(getattr(FIRST, key), "x")  # type: ignore[misc]
    await desk.redis.xadd(OTHER.audit, {"id": "a.1", "event": "x"})
    with suppress(Exception):
        await exporter.step()
    if key == "exported":
        await spoil(desk)  # once more: the step has mended it
    streams = Streams(desk.redis, 2)

    try:
        wrong = [one async for one in streams.check()]
        wrong += await streams.absent(exports_in(tmp_path), "here")
        entries = [one for one, _ in map(TrailCheck().line, lines_of(tmp_path)) if one]
        wrong += [one for entry in entries for one in await streams.compare(entry)]
    finally:
        await streams.close()

    assert [(one.what, one.where) for one in wrong] == [("damaged", "redis:0")]
    assert exported(tmp_path, 1) == 4
