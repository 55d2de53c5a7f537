"""Reading: the streams of one partition that a worker reads, and how deliveries are made of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import zip_longest
from time import monotonic

from guardtier.store.connection import AnyRedis
from guardtier.store.delivery import Delivery
from guardtier.store.keys import Keys
from guardtier.store.upkeep import readable
from guardtier.store.wire import Wire, entries_of

STREAMS_SECONDS = 1.0  #: how old the list of streams may be

Streams = dict[str, str | None]


class Reading:
    """Reads for one consumer of one partition over a wire of its own."""

    def __init__(
        self,
        redis: AnyRedis,
        wire: Wire,
        keys: Keys,
        *,
        group: str,
        consumer: str,
        streams: Callable[[int], Awaitable[Streams]],
    ) -> None:
        self._redis, self._wire, self._keys = redis, wire, keys
        self._group, self._consumer = group, consumer
        self._list_streams = streams
        self._listed_at = 0.0
        self._mixed = False  # something that is no stream stands where one should
        self.streams: Streams = {}  #: as of the last look

    async def refresh(self) -> None:
        """Look which streams there are, unless that was done just now."""
        if monotonic() - self._listed_at < STREAMS_SECONDS:
            return
        streams = await self._list_streams(self._keys.partition)
        self.streams = await readable(self._redis, streams) if self._mixed else streams
        self._listed_at = monotonic()

    def leave_out_damaged(self) -> None:
        """A key is of another type: from now on each is looked at before it is read."""
        self._mixed, self._listed_at = True, 0.0

    async def take(self, start: str, *, count: int, block: int | None = None) -> list[Delivery]:
        """XREADGROUP over every stream, a bounded share of each, taken in turn."""
        if not self.streams:
            return []
        command = ["XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", count]
        if block is not None:
            command += ["BLOCK", block]
        command += ["STREAMS", *self.streams, *([start] * len(self.streams))]
        (reply,) = await self._wire.round_trip([command])
        if isinstance(reply, BaseException):
            raise reply
        rows = [
            [self.delivery(name.decode(), entry, found) for entry, found in entries_of(entries)]
            for name, entries in reply or ()
        ]
        return [found for turn in zip_longest(*rows) for found in turn if found is not None]

    def delivery(
        self, stream: str, entry: bytes, fields: dict[bytes, bytes] | None, deliveries: int = 1
    ) -> Delivery:
        return Delivery(
            partition=self._keys.partition,
            stream=stream,
            group=self._group,
            entry=entry.decode(),
            fields=fields or {},
            fleet=self.streams.get(stream),
            deliveries=deliveries,
        )
