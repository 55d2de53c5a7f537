"""The export where something beside it is broken: damaged positions, files taken away, a copied folder."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from desk import Desk
from guardtier.store.exports import Exported, Exports
from guardtier.store.keys import Keys, all_keys
from guardtier.store.upkeep import Upkeep
from guardtier_workers.trail import tail
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind, line_of
from guardtier_workers.trail.verify import TrailCheck, exports_in, lines_of

Begun = Callable[[Path], Awaitable[Exporter]]

FIRST, OTHER = all_keys(2)


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    async with Redis.from_url(redis_url) as redis:
        desk = Desk(redis, redis_url)
        await desk.open()
        yield desk
        await desk.close()


@pytest.fixture
async def begun(desk: Desk) -> AsyncIterator[Begun]:
    """Makes exporters of two partitions, whose steps the test takes, and closes them."""
    made: list[Exporter] = []

    async def begin(path: Path) -> Exporter:
        folder = Folder(path, most_bytes=1 << 20)
        folder.open()
        made.append(Exporter(desk.url, 2, folder))
        try:
            await made[-1].begin()
        except Exception:
            await made[-1].close()
            raise
        return made[-1]

    yield begin
    for exporter in made:
        await exporter.close()


async def wrote(desk: Desk, count: int, keys: Keys = FIRST) -> None:
    for _ in range(count):
        if keys is FIRST:
            await desk.assess(desk.action())
        else:
            await desk.redis.xadd(keys.audit, {"id": "a.1", "event": "x"})


async def spoil(desk: Desk, keys: Keys = FIRST) -> None:
    await desk.redis.delete(keys.exported)
    await desk.redis.rpush(keys.exported, "x")  # type: ignore[misc]


async def position(desk: Desk, exporter: Exporter, keys: Keys = FIRST) -> Exported | None:
    kept = await desk.redis.hget(keys.exported, exporter.state["export"])  # type: ignore[misc]
    return Exported.read(kept) if kept else None


def exported(path: Path, partition: int) -> int:
    check, count = TrailCheck(), 0
    for raw in lines_of(path):
        entry, _ = check.line(raw)
        count += entry is not None and entry.partition == partition
    return count


def found(path: Path) -> list[str]:
    check = TrailCheck()
    return [one.what for raw in lines_of(path) for one in check.line(raw)[1]] + [
        one.what for one in check.end()
    ]


# -- positions in Redis that are damaged ---------------------------------------------------------


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
