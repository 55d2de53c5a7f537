"""Checkpoints of an export: what they sign for, and what is believed of a trail without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from desk import Desk
from guardtier.errors import ConfigError
from guardtier_workers.clock import now_ms
from guardtier_workers.trail import verify as checking
from guardtier_workers.trail import writing
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.lines import Kind, Writer
from trails import exported, exporting, keys_in, rewritten, signed, verified, what, wrote


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
    monkeypatch.setattr(writing, "SIGN_LINES", 10)
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
