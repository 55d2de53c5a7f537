"""The fixtures of the audit trail's tests: one server for all, and each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from desk import Desk, desk_at
from guardtier_workers.trail.archive import LINES, Archive
from postgres import postgres

__all__ = ["archive", "desk", "postgres", "url"]


@pytest.fixture
async def desk(redis_url: str) -> AsyncIterator[Desk]:
    """One server will do: the scripts are tested on each elsewhere."""
    async with desk_at(redis_url) as desk:
        yield desk


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'audit.db'}"
    found: str = request.getfixturevalue("postgres")
    engine = sa.create_engine(found)
    with engine.begin() as connection:
        LINES.drop(connection, checkfirst=True)
    engine.dispose()
    return found


@pytest.fixture
def archive(url: str) -> Iterator[Archive]:
    made = Archive.at(url)
    yield made
    made.close()
