"""Trail: what the audit streams say, page by page, so that a long one is never held as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from guardtier.store.connection import AnyRedis
from guardtier.store.keys import all_keys

PAGE = 500  #: lines read in one go


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``at`` is in milliseconds since 1970, Redis' clock."""

    partition: int
    entry: str
    fields: dict[bytes, bytes]

    @property
    def at(self) -> int:
        return int(self.entry.partition("-")[0])

    def text(self, field: str) -> str:
        """A field; "" where it is missing, what is no UTF-8 shown as such."""
        return self.fields.get(field.encode(), b"").decode(errors="backslashreplace")


class Trail:
    """Reads the audit streams of every partition. It writes nothing."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._redis = redis
        self._keys = all_keys(partitions)

    async def since(self, at_ms: int) -> AsyncIterator[Line]:
        """Every line from then until now, partition by partition, each in its order."""
        for keys in self._keys:
            newest = await self._redis.xrevrange(keys.audit, count=1)
            if not newest:
                continue
            start, end = str(at_ms), newest[0][0]
            while True:
                page = await self._redis.xrange(keys.audit, min=start, max=end, count=PAGE)
                for entry, fields in page:
                    yield Line(keys.partition, entry.decode(), fields or {})
                if len(page) < PAGE:
                    break
                start = f"({page[-1][0].decode()}"
