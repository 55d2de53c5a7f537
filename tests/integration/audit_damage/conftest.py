"""A desk on a Redis of its own, and exporters that have begun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from desk import Desk, desk_at
from exported import Begun
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.folder import Folder


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    async with desk_at(redis_url) as desk:
        yield desk


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
