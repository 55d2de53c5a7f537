"""What was done to the files of an export, or to it and Redis, is found and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk import Desk
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.verify import Anchor, Finding, Raw, TrailCheck, lines_of
from trails import Edit, compared, exported, lines, rewritten, verified, what, wrote


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
