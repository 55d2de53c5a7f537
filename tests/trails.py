"""Trails: audit streams exported step by step, and verified; for the tests of both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from desk import Desk
from guardtier.keyfile import Key, private_json
from guardtier.sealing import SigningKeys
from guardtier.store.connection import connect
from guardtier.verifying import Verifier
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.verify import Anchor, Finding, TrailCheck, lines_of

Edit = Callable[[list[bytes]], list[bytes]]


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


def keys_in(file: Path) -> tuple[SigningKeys, Verifier]:
    key = Key.new()
    file.write_text(private_json([key]))
    file.chmod(0o600)
    return SigningKeys(file), Verifier([key.alone])


def signed(path: Path, keys: Verifier, *, now: int | None = None) -> tuple[list[Finding], TrailCheck]:
    check = TrailCheck(keys=keys, now=now)
    return [found for raw in lines_of(path) for found in check.line(raw)[1]] + check.end(), check


def no_room(_handle: int) -> None:
    raise OSError(28, "no room on the disk")
