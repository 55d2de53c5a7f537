"""Archives: copies of an export in a database, made step by step, and verified."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from desk import Desk
from guardtier_workers.trail.archive import Archive
from guardtier_workers.trail.database import check_rows
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.verify import Anchor, Finding, TrailCheck


async def export(desk: Desk, path: Path, archive: Archive | None = None) -> str:
    folder = Folder(path, most_bytes=4096)
    folder.open()
    exporter = Exporter(desk.url, 1, folder)
    await exporter.begin()
    await exporter.step()
    if archive is not None:
        await archive.catch_up(folder)
    await exporter.close()
    return folder.export


def checked(archive: Archive, name: str, *anchors: Anchor) -> list[Finding]:
    return [*check_rows(archive, name, TrailCheck(anchors=anchors))]


async def wrote(desk: Desk, count: int) -> None:
    for _ in range(count):
        action = desk.action()
        await desk.assess(action)
        await desk.decide(action, "released")


def change(url: str, statement: sa.Executable) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()
