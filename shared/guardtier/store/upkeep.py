"""Upkeep: fleets and groups are registered, finished entries and idle consumers go."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from redis.exceptions import ResponseError

from guardtier.errors import ConfigError
from guardtier.store.connection import AnyRedis, is_wrong_type
from guardtier.store.keys import ANALYZERS, POLICIES, STEWARD_ALIVE, TIER, Keys, all_keys, pool_alive
from guardtier.store.pipe import CommandPipe

log = logging.getLogger(__name__)

STUCK_MS = 60_000  #: pending or unread for so long: no worker of the group seems to live


class Upkeep:
    """What workers and the steward do for the streams, beside their work."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._redis = redis
        self._keys = all_keys(partitions)

    async def prepare(self, fleets: Iterable[str]) -> None:
        """Make the groups and register the fleets. Raises ConfigError where partitions differ."""
        mine = len(self._keys)
        await self._redis.hsetnx(TIER, "partitions", str(mine))  # type: ignore[misc]
        agreed = int(await self._redis.hget(TIER, "partitions") or mine)  # type: ignore[misc]
        if agreed != mine:
            raise ConfigError(
                f"this tier runs with {agreed} partitions, these settings say {mine}: set partitions = "
                f"{agreed}, which is fixed from the first start on",
                field="partitions",
                limit=agreed,
            )
        for fleet in fleets:
            await self.register(fleet)
        for keys in self._keys:
            await self._group(keys.assessed, POLICIES)
            await self._group(keys.answers, POLICIES)
            await self._group(keys.outbox, POLICIES)
            await self._group(keys.strays, ANALYZERS)
            await self._group(keys.edits, ANALYZERS)

    async def register(self, fleet: str) -> None:
        """Make a fleet known. Its stream comes first: a worker never reads one that isn't there."""
        for keys in self._keys:
            await self._group(keys.actions(fleet), ANALYZERS)
            await self._redis.sadd(keys.fleets, fleet)  # type: ignore[misc]

    async def fleets(self, partition: int = 0) -> list[str]:
        members = await self._redis.smembers(self._keys[partition].fleets)  # type: ignore[misc]
        return sorted(name.decode() for name in members)

    async def work_streams(self) -> list[tuple[str, str]]:
        """Every stream that workers read, with its group."""
        found: list[tuple[str, str]] = []
        for keys in self._keys:
            found += [(keys.actions(fleet), ANALYZERS) for fleet in await self.fleets(keys.partition)]
            found += [(keys.strays, ANALYZERS), (keys.edits, ANALYZERS)]
            found += [(stream, POLICIES) for stream in (keys.assessed, keys.answers, keys.outbox)]
        return found

    async def stuck(self, now_ms: int) -> list[tuple[str, str]]:
        """The work streams, with their groups, in which something waits that a live worker would take."""
        return [
            (stream, group)
            for stream, group in await self.work_streams()
            if await self._waits(stream, group, STUCK_MS, now_ms=now_ms)
        ]

    async def _waits(self, stream: str, group: str, idle_ms: int, *, now_ms: int) -> bool:
        """Whether an entry has been in somebody's hands, or unread, for so long."""
        try:
            if await self._redis.xpending_range(stream, group, "-", "+", 1, idle=idle_ms):
                return True
            groups = await self._redis.xinfo_groups(stream)
        except ResponseError as error:
            if not str(error).startswith(("no such key", "NOGROUP")):
                raise
            return False  # a fleet was registered, and no worker has ever run here
        for info in groups:
            if info["name"].decode() == group:
                behind = f"({info['last-delivered-id'].decode()}"
                unread = await self._redis.xrange(stream, min=behind, count=1)
                return any(int(entry.partition(b"-")[0]) < now_ms - idle_ms for entry, _ in unread)
        return False

    async def forget_before(self, oldest_ms: int, *, exporting: bool = False) -> None:
        """Drop audit records and dead letters that are older. Nobody reads them in a group.

        No audit record goes that an export still lacks; ``exporting``: there is to be one. Where a key is
        of another type, nothing of it goes, and the log says so each time.
        """
        pipe = CommandPipe(self._redis, insist=False)
        try:
            for keys in self._keys:
                args = [oldest_ms, "1" if exporting else ""]
                with said_if_damaged(keys.audit, keys.exported):
                    await pipe.script("forget", [keys.audit, keys.exported], args)
                with said_if_damaged(keys.dead):
                    await self._redis.execute_command("XTRIM", keys.dead, "MINID", "~", str(oldest_ms))
        finally:
            await pipe.close()

    async def retire_idle(self, stream: str, group: str, idle_ms: int) -> int:
        """Forget consumers that hold nothing and have not read for so long; returns how many."""
        try:
            consumers = await self._redis.xinfo_consumers(stream, group)
        except ResponseError as error:
            if not str(error).startswith(("no such key", "NOGROUP")):
                raise
            return 0  # nobody has made the stream, or the group, yet
        names = [c["name"].decode() for c in consumers if not c["pending"] and c["idle"] >= idle_ms]
        pipe = CommandPipe(self._redis, insist=False)
        try:
            return sum([int(await retire(pipe, stream, group, name)) for name in names])
        finally:
            await pipe.close()

    async def _group(self, stream: str, group: str) -> None:
        try:
            await self._redis.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if is_wrong_type(error):  # the worker serves what it can; whoever looks after Redis mends it
                log.warning("%s is no stream: DEL or RENAME it, and it is made anew", stream)
            elif not str(error).startswith("BUSYGROUP"):
                raise


async def readable(redis: AnyRedis, streams: Mapping[str, str | None]) -> dict[str, str | None]:
    """Those that are streams, or not there yet; what is of another type is left out."""
    kinds = [await redis.type(stream) for stream in streams]
    return {
        stream: fleet
        for (stream, fleet), kind in zip(streams.items(), kinds, strict=True)
        if kind in (b"stream", b"none")
    }


async def trim(pipe: CommandPipe, stream: str) -> int:
    """Drop what every group has finished; returns how many entries went."""
    return int(await pipe.script("trim", [stream], []))


async def retire(pipe: CommandPipe, stream: str, group: str, consumer: str) -> bool:
    """Forget a consumer that holds nothing; False where it does."""
    return bool(await pipe.script("retire", [stream], [group, consumer]))


async def heartbeat(
    redis: AnyRedis, keys: Keys, group: str, consumer: str, *, body: bytes, ttl_ms: int
) -> None:
    """Say that a worker lives, for ``ttl_ms``, and have it listed among the group's consumers.

    A consumer that only waits is not listed by itself before Redis 7.2.
    """
    await redis.set(keys.alive(group, consumer), body, px=ttl_ms)
    with suppress(ResponseError):  # the group is gone: whoever reads finds out, and makes it again
        await redis.xgroup_createconsumer(home(keys, group), group, consumer)


def home(keys: Keys, group: str) -> str:
    """The stream that every worker of a group reads, whatever the fleets."""
    return keys.strays if group == ANALYZERS else keys.assessed


async def workers(redis: AnyRedis, partitions: int) -> dict[str, bytes]:
    """The workers that live: name → heartbeat."""
    found: dict[str, bytes] = {}
    for keys in all_keys(partitions):
        for group in (ANALYZERS, POLICIES):
            for consumer in await redis.xinfo_consumers(home(keys, group), group):
                name = consumer["name"].decode()
                body = await redis.get(keys.alive(group, name))
                if body:
                    found[name] = body
    return found


async def steward_alive(redis: AnyRedis) -> bytes | None:
    """The steward that took a job last, by arq's Redis; None where none did for 20 s."""
    found: bytes | None = await redis.get(STEWARD_ALIVE)
    return found


async def pools_alive(redis: AnyRedis, pools: Iterable[str]) -> list[bytes | None]:
    """In the order of ``pools``: the worker of each that beat last; None where none is alive."""
    return [await redis.get(pool_alive(pool)) for pool in pools]


__all__ = [
    "Keys",
    "Upkeep",
    "heartbeat",
    "home",
    "pools_alive",
    "readable",
    "retire",
    "said_if_damaged",
    "steward_alive",
    "trim",
    "workers",
]


@contextmanager
def said_if_damaged(*keys: str) -> Iterator[None]:
    """A key of another type holds up nothing but what is in it."""
    try:
        yield
    except ResponseError as error:
        if not is_wrong_type(error):
            raise
        log.error("%s: damaged, so nothing of it is trimmed: %s", " or ".join(keys), error)  # noqa: TRY400
