"""What an exporter signs for when it begins: what is unsigned is held against Redis before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from desk import Desk, desk_at
from guardtier.keyfile import Key, private_json
from guardtier.sealing import SigningKeys
from guardtier.store.keys import Keys
from guardtier.verifying import Verifier
from guardtier_workers.clock import now_ms
from guardtier_workers.trail import verify as checking
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind, Sealed, Writer, line_of
from guardtier_workers.trail.verify import TrailCheck, lines_of
from waiting import until

FORGED = (b"id", b"a9.0"), (b"event", b"approved"), (b"by", b"alice")


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    async with desk_at(redis_url) as desk:
        yield desk


def keys_in(file: Path) -> tuple[SigningKeys, Verifier]:
    key = Key.new()
    file.write_text(private_json([key]))
    file.chmod(0o600)
    return SigningKeys(file), Verifier([key.alone])


async def exported(desk: Desk, path: Path, signs: SigningKeys) -> Exporter:
    """One exporter's life; returns it, closed."""
    folder = Folder(path, most_bytes=1 << 20, signs=signs)
    folder.open()
    exporter = Exporter(desk.url, 1, folder)
    try:
        await exporter.begin()
        await exporter.step()
    finally:
        await exporter.close()
    return exporter


def found(path: Path, keys: Verifier) -> list[str]:
    check = TrailCheck(keys=keys)
    return [one.what for raw in lines_of(path) for one in check.line(raw)[1]] + [
        one.what for one in check.end()
    ]


def appended(path: Path, *, partition: int = 7, entry: str | None = None) -> Writer:
    """Put a line behind the last one, as whoever has the folder and no key can."""
    file = files_in(path)[-1]
    last = Sealed.read(file.read_bytes().splitlines()[-1])
    assert last is not None
    writer = Writer(last.seq, last.sha256)
    writer.add(Kind.LINE, line_of(partition, entry or "1700000000000-0", FORGED))
    with file.open("ab") as out:
        out.write(writer.made[-1] + b"\n")
    return writer


async def test_what_is_put_behind_a_file_is_not_signed_unsaid_where_another_one_follows(
    desk: Desk, tmp_path: Path
) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    path = tmp_path / "out"
    await desk.assess(desk.action())
    first = await exported(desk, path, signs)
    writer = appended(path)
    open_line = {"export": first.state["export"], "previous": writer.sha256, "positions": {}}
    name = path / f"audit-{writer.seq + 1:012}.jsonl"
    writer.add(Kind.OPEN, open_line)
    name.write_bytes(writer.made[-1] + b"\n")

    await exported(desk, path, signs)

    assert "inserted" in found(path, keys)


async def test_what_could_not_be_held_against_redis_is_not_signed_at_the_end(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    signs, keys = keys_in(tmp_path / "keys.json")
    path = tmp_path / "out"
    await desk.assess(desk.action())
    await exported(desk, path, signs)
    appended(path)
    exporter = Exporter(desk.url, 1, Folder(path, most_bytes=1 << 20, signs=signs))
    stop = asyncio.Event()
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        running = asyncio.create_task(exporter.run(stop))
        await until(lambda: exporter.trouble)

    stop.set()
    await running

    check = TrailCheck(keys=keys)
    assert [found for raw in lines_of(path) for found in check.line(raw)[1]] == []
    assert check.tail == 1


async def test_an_entry_that_redis_can_t_have_is_not_signed_unsaid(desk: Desk, tmp_path: Path) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    path = tmp_path / "out"
    await exported(desk, path, signs)
    await desk.redis.xadd(Keys(0).audit, {"id": "a.1", "event": "x"})
    appended(path, partition=0, entry="99999999999999999999-0")

    with pytest.raises(Exception, match="Invalid stream ID"):
        await exported(desk, path, signs)

    assert "inserted" in found(path, keys)


async def test_reading_a_torn_line_that_is_cut_off_meanwhile_ends_there(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs, _ = keys_in(tmp_path / "keys.json")
    path = tmp_path / "out"
    await exported(desk, path, signs)
    (file,) = files_in(path)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"seq":')
    # While the reader waits, the exporter begins.
    monkeypatch.setattr(checking, "sleep", lambda _seconds: file.write_bytes(whole))

    read = [raw.raw for raw in lines_of(path)]

    assert read == whole.splitlines()
    assert file.read_bytes() == whole


async def test_a_tail_is_young_though_the_exporters_clock_is_behind_redis(
    desk: Desk, tmp_path: Path
) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    path = tmp_path / "out"
    ahead = now_ms() + 300_000
    for at in (ahead, ahead + 1000):
        await desk.redis.xadd(Keys(0).audit, {"id": "a.1", "event": "x"}, id=f"{at}-0")
        await exported(desk, path, signs)
    (file,) = files_in(path)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))  # not signed yet

    assert found(path, keys) == []
