"""Board: what is parked, in memory, brought up to date by the audit streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from guardtier.store.connection import AnyRedis


class Board:
    """Holds every fleet's parked actions: whoever shows some of it asks what the visitor sees."""

    def __init__(self, url: str, redis: AnyRedis, partitions: int) -> None:
        self._url, self._redis, self._partitions = url, redis, partitions

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep it up to date until the block ends."""
        yield
