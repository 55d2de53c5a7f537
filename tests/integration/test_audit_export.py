"""The export of the audit streams: whole and in order, through restarts; what was done to it is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from desk import Desk
from guardtier.errors import ConfigError
from guardtier.keyfile import Key, private_json
from guardtier.sealing import SigningKeys
from guardtier.store.chain import Link
from guardtier.store.connection import connect
from guardtier.store.exports import Exported, Exports
from guardtier.store.upkeep import Upkeep
from guardtier.verifying import Verifier
from guardtier_workers.clock import now_ms
from guardtier_workers.trail import exporter as module
from guardtier_workers.trail import folder as trail_folder
from guardtier_workers.trail import verify as checking
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder, FolderHeld
from guardtier_workers.trail.lines import Kind, Writer
from guardtier_workers.trail.verify import Anchor, Finding, Raw, TrailCheck, lines_of
from processes import Processes
from waiting import until

Edit = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    """One server will do: the scripts are tested on each elsewhere."""
    async with Redis.from_url(redis_url) as redis:
        desk = Desk(redis, redis_url)
        await desk.open()
        yield desk
        await desk.close()


@asynccontextmanager
async def exporting(desk: Desk, path: Path, **made: object) -> AsyncIterator[Exporter]:
    """An exporter whose steps the test takes."""
    folder = Folder(path, **({"most_bytes": 1 << 20} | made))  # type: ignore[arg-type]
    folder.open()
    exporter = Exporter(desk.url, 1, folder)
    await exporter.begin()
    try:
        yield exporter
    finally:
        await exporter.close()


async def exported(desk: Desk, path: Path, **made: object) -> None:
    """Export all that is there."""
    async with exporting(desk, path, **made) as exporter:
        while await exporter.step():
            pass


async def wrote(desk: Desk, count: int) -> None:
    for _ in range(count):
        await desk.assess(desk.action())


def verified(path: Path, *anchors: Anchor) -> list[Finding]:
    check = TrailCheck(anchors=anchors)
    return [found for raw in lines_of(path) for found in check.line(raw)[1]] + check.end()


def what(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(found.what, found.n) for found in findings]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in files_in(path) for line in file.read_bytes().splitlines()]


def rewritten(path: Path, edit: Edit) -> None:
    """Change the lines of the first file."""
    file = files_in(path)[0]
    file.write_bytes(b"".join(line + b"\n" for line in edit(file.read_bytes().splitlines())))


async def compared(desk: Desk, path: Path) -> list[Finding]:
    """The export, verified beside what Redis has."""
    redis = connect(desk.url)
    streams, check = Streams(redis, 1), TrailCheck()
    found: list[Finding] = []
    try:
        for raw in lines_of(path):
            entry, wrong = check.line(raw)
            found += wrong + (await streams.compare(entry) if entry else [])
        return found + check.end() + await streams.goes_on()
    finally:
        await streams.close()
        await redis.aclose()


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


# -- what was done to the files ----------------------------------------------------------------


def swapped(found: list[bytes]) -> list[bytes]:
    return [*found[:3], found[4], found[3], *found[5:]]


TAMPERED: dict[str, tuple[Edit, str]] = {
    "changed": (
        lambda f: [*f[:4], f[4].replace(b"assessed", b"released"), *f[5:]],
        "changed",
    ),
    "missing": (lambda f: [*f[:4], *f[5:]], "missing"),
    "reordered": (swapped, "reordered"),
    "duplicated": (lambda f: [*f[:5], f[4], *f[5:]], "duplicated"),
    "inserted": (lambda f: [*f[:4], f[4].replace(b"assessed", b"released"), *f[4:]], "changed"),
    "no JSON": (lambda f: [*f[:4], b"{}", *f[5:]], "changed"),
    "empty": (lambda f: [*f[:4], b"", *f[4:]], "changed"),
    "another hash": (lambda f: [*f[:4], f[4][:-10] + b'00000000"}', *f[5:]], "changed"),
}


@pytest.mark.parametrize("kind", TAMPERED)
async def test_each_kind_of_tampering_with_a_file_is_named(desk: Desk, tmp_path: Path, kind: str) -> None:
    await wrote(desk, 9)
    await exported(desk, tmp_path)
    edit, told = TAMPERED[kind]

    rewritten(tmp_path, edit)
    found = verified(tmp_path)

    assert told in {one.what for one in found}
    assert all(one.where.startswith("audit-000000000001.jsonl:") for one in found)
    assert {one.where.rpartition(":")[2] for one in found} & {"4", "5", "6"}
    if kind == "changed":
        (only,) = found
        assert (only.partition, only.n, only.entry != "") == (0, 4, True)


async def test_no_byte_of_a_file_can_be_changed_unseen(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    (file,) = files_in(tmp_path)
    whole = file.read_bytes()
    assert verified(tmp_path) == []

    for at in range(len(whole)):
        raws = (whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]).split(b"\n")
        check = TrailCheck()
        found = [one for raw in raws[:-1] for one in check.line(Raw("here", raw))[1]]
        found += [
            one for one in check.line(Raw("here", raws[-1], whole=False))[1] if raws[-1]
        ] + check.end()
        assert found, at


async def test_a_cut_tail_is_found_by_what_redis_or_a_person_remembers(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 9)
    await exported(desk, tmp_path)
    check = TrailCheck()
    for raw in lines_of(tmp_path):
        check.line(raw)
    kept = Anchor(check.last.n, check.last.h, "the checkpoint")
    streams = Streams(desk.redis, 1)
    told = await streams.anchors(check.exports)
    await streams.close()

    assert verified(tmp_path, kept, *told) == []
    rewritten(tmp_path, lambda found: found[:6])
    assert verified(tmp_path) == []
    assert what(verified(tmp_path, kept)) == what(verified(tmp_path, *told)) == [("truncated", 0)]


async def test_a_whole_export_made_anew_is_found_by_what_redis_has(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 5)
    await exported(desk, tmp_path / "a")
    await desk.redis.hdel(desk.keys.exported, *(await desk.redis.hkeys(desk.keys.exported)))
    (third, _) = (await desk.redis.xrange(desk.keys.audit))[2]
    await desk.redis.xdel(desk.keys.audit, third)
    await exported(desk, tmp_path / "b")

    assert ("missing", 3) in what(verified(tmp_path / "b"))
    assert ("missing", 3) in what(await compared(desk, tmp_path / "a"))


@pytest.mark.parametrize(
    ("meanwhile", "wrong"),
    [
        ((), ("truncated", 4)),  # emptied, and nothing came since
        (("begins anew",), ("restarted", 1)),
        (("begins anew",) * 7, ("restarted", 1)),
    ],
)
async def test_a_redis_that_lost_what_was_exported_is_found_while_nobody_exports(
    desk: Desk, tmp_path: Path, meanwhile: tuple[str, ...], wrong: tuple[str, int]
) -> None:
    await wrote(desk, 4)
    await exported(desk, tmp_path)
    await wrote(desk, 2)
    assert await compared(desk, tmp_path) == []

    await desk.redis.delete(desk.keys.audit, desk.keys.chain, desk.keys.exported)
    await wrote(desk, len(meanwhile))

    assert wrong in what(await compared(desk, tmp_path))


async def test_what_comes_and_is_exported_while_one_compares_is_there(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path)
    streams, check = Streams(desk.redis, 1), TrailCheck()
    found: list[Finding] = []
    for count, raw in enumerate(lines_of(tmp_path)):
        if count == 2:  # Redis was looked at by then
            await wrote(desk, 2)
            await exported(desk, tmp_path)
        entry, _ = check.line(raw)
        found += await streams.compare(entry) if entry else []
    found += await streams.goes_on()
    await streams.close()

    assert check.entries == 5
    assert found == []


async def test_lines_that_neither_redis_nor_the_export_has_are_missed(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 4)
    await exported(desk, tmp_path)
    await wrote(desk, 3)
    fifth = (await desk.redis.xrange(desk.keys.audit))[4][0]

    await desk.redis.xtrim(desk.keys.audit, minid=fifth, approximate=False)
    await desk.redis.xdel(desk.keys.audit, fifth)

    assert what(await compared(desk, tmp_path)) == [("missing", 5)]


# -- signatures --------------------------------------------------------------------------------


def keys_in(file: Path) -> tuple[SigningKeys, Verifier]:
    key = Key.new()
    file.write_text(private_json([key]))
    file.chmod(0o600)
    return SigningKeys(file), Verifier([key.alone])


def signed(path: Path, keys: Verifier, *, now: int | None = None) -> tuple[list[Finding], TrailCheck]:
    check = TrailCheck(keys=keys, now=now)
    return [found for raw in lines_of(path) for found in check.line(raw)[1]] + check.end(), check


async def test_checkpoints_are_signed_and_cover_what_stands_before_them(desk: Desk, tmp_path: Path) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    _, others = keys_in(tmp_path / "others.json")
    for _ in range(3):
        await wrote(desk, 12)
        await exported(desk, tmp_path / "out", signs=signs, most_bytes=4096)

    found, check = signed(tmp_path / "out", keys)

    assert (found, check.signed) == ([], check.last.n)
    assert {one.what for one in signed(tmp_path / "out", others)[0]} == {"unsigned"}


async def test_a_long_tail_without_a_signature_is_not_believed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    for _ in range(2):
        await wrote(desk, 5)
        await exported(desk, tmp_path / "out", signs=signs)
    rewritten(tmp_path / "out", lambda found: found[:-1])
    soon, late = now_ms() + 1000, now_ms() + 120_000

    assert signed(tmp_path / "out", keys, now=soon)[0] == signed(tmp_path / "out", keys)[0] == []
    assert what(signed(tmp_path / "out", keys, now=late)[0]) == [("unsigned", 0)]
    monkeypatch.setattr(checking, "MOST_UNSIGNED_SECONDS", -1)
    assert what(signed(tmp_path / "out", keys)[0]) == [("unsigned", 0)]
    monkeypatch.undo()
    monkeypatch.setattr(checking, "MOST_UNSIGNED", 4)
    assert what(signed(tmp_path / "out", keys)[0]) == [("unsigned", 0)]


async def test_what_a_killed_exporter_left_unsigned_is_signed_when_the_next_one_begins(
    desk: Desk, tmp_path: Path
) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    await wrote(desk, 5)
    await exported(desk, tmp_path / "out", signs=signs)
    rewritten(tmp_path / "out", lambda found: found[:-1])

    async with exporting(desk, tmp_path / "out", signs=signs) as exporter:
        await exporter.step()
        found, check = signed(tmp_path / "out", keys)

    assert (found, check.tail) == ([], 0)


async def test_many_lines_are_signed_for_at_once(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIGN_LINES", 10)
    signs, keys = keys_in(tmp_path / "keys.json")
    async with exporting(desk, tmp_path / "out", signs=signs) as exporter:
        for _ in range(3):
            await wrote(desk, 12)
            await exporter.step()
            assert signed(tmp_path / "out", keys)[1].tail == 0


async def test_a_trail_made_anew_without_the_key_is_not_believed(desk: Desk, tmp_path: Path) -> None:
    signs, keys = keys_in(tmp_path / "keys.json")
    await wrote(desk, 5)
    await exported(desk, tmp_path / "out", signs=signs)
    told = [json.loads(line) for line in files_in(tmp_path / "out")[0].read_bytes().splitlines()]
    writer = Writer()
    for line in told:
        kind, _ = Kind(line.pop("kind")), (line.pop("seq"), line.pop("sha256"))
        if "fields" in line:
            line["fields"]["fleet"] = "ops"
        writer.add(kind, line)

    rewritten(tmp_path / "out", lambda _: list(writer.made))
    forged, _ = signed(tmp_path / "out", keys)

    assert "changed" in {one.what for one in forged if "signature" in one.says}


async def test_without_a_valid_key_the_export_goes_on_unsigned(desk: Desk, tmp_path: Path) -> None:
    class Ended:
        def sign(self, purpose: bytes, body: bytes) -> bytes:
            raise ConfigError("no key is valid now", field="signing_key_file")

    _, keys = keys_in(tmp_path / "keys.json")
    await wrote(desk, 5)
    await exported(desk, tmp_path / "out", signs=Ended())

    assert verified(tmp_path / "out") == []
    assert {one.what for one in signed(tmp_path / "out", keys)[0]} == {"unsigned"}


# -- what was done to Redis --------------------------------------------------------------------


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


def no_room(_handle: int) -> None:
    raise OSError(28, "no room on the disk")


def test_a_position_is_read_as_it_is_written() -> None:
    position = Exported("17-1", 7, 9, "a" * 64, 5)

    assert Exported.read(str(position).encode()) == position
    assert Exported.read(b"17-1 7") is None
    assert str(Link()) == ""


async def test_a_cut_head_of_a_file_is_found(desk: Desk, tmp_path: Path) -> None:
    await wrote(desk, 9)
    await exported(desk, tmp_path)

    rewritten(tmp_path, lambda found: found[4:])

    assert [(one.what, one.where) for one in verified(tmp_path)] == [
        ("missing", "audit-000000000001.jsonl:1")
    ]


async def test_a_checkpoint_before_the_first_line_vouches_for_nothing(desk: Desk, tmp_path: Path) -> None:
    """Else whoever makes a trail anew lets it begin behind what people have kept."""
    for _ in range(3):
        await wrote(desk, 12)
        await exported(desk, tmp_path, most_bytes=2000)
    kept = Anchor(1, lines(tmp_path)[0]["sha256"], "the checkpoint")  # type: ignore[arg-type]
    assert verified(tmp_path, kept) == []
    redis_knows = kept._replace(whose="Redis (partition 0)", must=False)

    files_in(tmp_path)[0].unlink()

    assert what(verified(tmp_path, kept)) == [("missing", 0)]
    assert verified(tmp_path, redis_knows) == [], "an idle partition's may be in a file that was moved away"


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
