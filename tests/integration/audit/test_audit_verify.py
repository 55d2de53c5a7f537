"""guardtier audit verify, where its files and its database are as an attacker or an accident left them."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from archives import change, export
from desk import Desk
from guardtier.keyfile import Key, private_json, public_json
from guardtier.sealing import SigningKeys
from guardtier_workers.cli import audit
from guardtier_workers.cli.entry import run
from guardtier_workers.clock import now_ms
from guardtier_workers.trail import beside, database
from guardtier_workers.trail.archive import LINES, Archive
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.lines import Kind, Writer
from trails import exported, wrote

Verify = Callable[..., Any]


@pytest.fixture
def verify(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Runs the command, and returns what it found: what, and where."""

    async def verified(*more: str) -> list[tuple[str, str]]:
        arguments = ["audit", "verify", "--json", "--dir", str(tmp_path / "out"), "--redis-url", desk.url]
        code = await asyncio.to_thread(run, [*arguments, *more])
        said = capsys.readouterr()
        found = [(one["what"], one["where"]) for one in json.loads(said.out or said.err)["findings"]]
        assert code == bool(found)
        return found

    return verified


async def copied(desk: Desk, path: Path, url: str, *, rounds: int = 2) -> None:
    archive = Archive.at(url)
    for _ in range(rounds):
        await wrote(desk, 12)
        await export(desk, path / "out", archive)
    archive.close()


async def test_a_file_by_another_name_is_named(desk: Desk, tmp_path: Path, verify: Verify) -> None:
    for _ in range(2):
        await wrote(desk, 12)
        await exported(desk, tmp_path / "out", most_bytes=2000)
    assert await verify() == []
    second = files_in(tmp_path / "out")[1]

    second.rename(tmp_path / "out" / "audit-000000000099.jsonl")

    assert await verify() == [("changed", "audit-000000000099.jsonl:1")]


@pytest.mark.parametrize("kind", ["folder", "pipe", "copy"])
async def test_what_only_looks_like_a_file_is_named_and_stops_nothing(
    desk: Desk, tmp_path: Path, verify: Verify, kind: str
) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path / "out")
    (file,) = files_in(tmp_path / "out")
    name = tmp_path / "out" / "audit-999999999999.jsonl"
    match kind:
        case "folder":
            name.mkdir()
        case "pipe":
            os.mkfifo(name)
        case "copy":
            name = name.with_name("audit-000000000001 (copy).jsonl")
            name.write_bytes(file.read_bytes())

    await wrote(desk, 3)
    await exported(desk, tmp_path / "out")

    assert await verify() == [("inserted", name.name)]


async def test_a_database_whose_end_was_cut_off_is_named_beside_its_files(
    desk: Desk, tmp_path: Path, url: str, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    await copied(desk, tmp_path, url)
    change(url, LINES.delete().where(LINES.c.seq > 5))
    assert await verify("--sql", url) == [], "it may be about to be copied"

    monkeypatch.setattr(database, "LATE_SECONDS", -1)

    assert await verify("--sql", url) == [("truncated", "sql")]


async def test_a_database_whose_head_was_cut_off_is_named_beside_its_files(
    desk: Desk, tmp_path: Path, url: str, verify: Verify
) -> None:
    await copied(desk, tmp_path, url)
    first = int(files_in(tmp_path / "out")[1].name[6:18])

    change(url, LINES.delete().where(LINES.c.seq < first))

    assert await verify("--sql", url) == [("missing", f"sql:{first}")]


async def test_a_database_made_anew_is_named_beside_its_files(
    desk: Desk, tmp_path: Path, url: str, verify: Verify
) -> None:
    await copied(desk, tmp_path, url, rounds=1)
    archive = Archive.at(url)
    (name,) = archive.exports()
    writer, rows = Writer(), [json.loads(raw.raw) for raw, _ in archive.lines(name)]
    archive.close()
    for row in rows:
        kind, _ = Kind(row.pop("kind")), (row.pop("seq"), row.pop("sha256"))
        if kind is Kind.CHECKPOINT:
            row["at"] = "2026-01-01T00:00:00+00:00"
        writer.add(kind, row)
    for seq, line in enumerate(writer.made, 1):
        change(url, LINES.update().where(LINES.c.seq == seq).values(line=line.decode()))
    forged = next(seq for seq, row in enumerate(writer.made, 1) if b'"kind":"checkpoint"' in row)

    assert await verify("--sql", url) == [("changed", f"sql:{forged}")]


async def test_rows_that_are_copied_to_another_export_are_named(
    desk: Desk, tmp_path: Path, url: str, verify: Verify
) -> None:
    await copied(desk, tmp_path, url, rounds=1)
    columns = [column for column in LINES.c if column.name != "export"]
    rows = sa.select(sa.literal("ffffffff"), *columns)

    change(url, LINES.insert().from_select(["export", *(column.name for column in columns)], rows))

    assert await verify("--sql", url) == [("changed", "sql")]


@pytest.mark.parametrize("kind", ["locked", "garbage", "malformed"])
async def test_a_database_that_can_t_be_read_is_named_with_all_else(
    desk: Desk, tmp_path: Path, verify: Verify, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "audit.db"
    await copied(desk, tmp_path, f"sqlite:///{file}")
    (tmp_path / "out" / "audit-999999999999.jsonl").mkdir()
    held = sqlite3.connect(file)
    raw = file.read_bytes()
    match kind:
        case "locked":
            held.execute("BEGIN EXCLUSIVE")
        case "garbage":
            file.write_bytes(b"no database" * 1000)
        case "malformed":
            file.write_bytes(raw[:8192] + b"\xff" * 8192 + raw[16384:])

    found = await verify("--sql", f"sqlite:///{file}?timeout=0")
    held.close()

    assert found == [("inserted", "audit-999999999999.jsonl"), ("damaged", "sql")]


async def test_files_that_can_t_be_read_are_not_told_as_a_redis_that_is_away(
    desk: Desk, tmp_path: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wrote(desk, 3)
    await exported(desk, tmp_path / "out")
    opened = Path.open

    def denied(self: Path, *more: Any, **named: Any) -> Any:
        if self.suffix == ".jsonl":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *more, **named)

    monkeypatch.setattr(Path, "open", denied)

    assert ("damaged", str(tmp_path / "out")) in await verify()


async def test_a_clock_that_is_ahead_here_makes_no_tail_old(
    desk: Desk, tmp_path: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, public = Key.new(), tmp_path / "public.json"
    public.write_text(public_json([key]))
    (tmp_path / "keys.json").write_text(private_json([key]))
    (tmp_path / "keys.json").chmod(0o600)
    for _ in range(2):
        await wrote(desk, 3)
        await exported(desk, tmp_path / "out", signs=SigningKeys(tmp_path / "keys.json"))
    (file,) = files_in(tmp_path / "out")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))  # not signed yet

    for module in (audit, beside):
        monkeypatch.setattr(module, "now_ms", lambda: now_ms() + 3_600_000, raising=False)

    assert await verify("--keys", str(public)) == []


async def test_searching_a_line_that_is_none_says_so(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'audit.db'}"
    await copied(desk, tmp_path, url)
    change(url, LINES.update().where(LINES.c.seq == 3).values(line="rubbish"))

    code = await asyncio.to_thread(run, ["audit", "search", "--sql", url])

    assert code == 1
    assert "can't be read ('rubbish')" in capsys.readouterr().err


async def test_a_checkpoint_of_files_that_are_wrong_says_so(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await wrote(desk, 5)
    await exported(desk, tmp_path / "out")
    arguments = ["audit", "checkpoint", "--dir", str(tmp_path / "out")]
    assert await asyncio.to_thread(run, arguments) == 0
    assert capsys.readouterr().err == ""
    (file,) = files_in(tmp_path / "out")
    file.write_bytes(file.read_bytes().replace(b"assessed", b"released", 1))

    assert await asyncio.to_thread(run, arguments) == 0
    assert "vouches for it as well" in capsys.readouterr().err
