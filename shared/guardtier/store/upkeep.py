"""Upkeep: fleets and groups are registered, finished entries and idle consumers go."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from redis.exceptions import ResponseError

from guardtier.errors import ConfigError
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import ANALYZERS, POLICIES, TIER, Keys, all_keys, pool_alive
from guardtier.store.pipe import CommandPipe

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
                f"this tier runs with {agreed} partitions, these settings say {mine}",
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
        if await self._redis.xpending_range(stream, group, "-", "+", 1, idle=idle_ms):
            return True
        for info in await self._redis.xinfo_groups(stream):
            if info["name"].decode() == group:
                behind = f"({info['last-delivered-id'].decode()}"
                unread = await self._redis.xrange(stream, min=behind, count=1)
                return any(int(entry.partition(b"-")[0]) < now_ms - idle_ms for entry, _ in unread)
        return False

    async def forget_before(self, oldest_ms: int) -> None:
        """Drop audit records and dead letters that are older. Nobody reads them in a group."""
        for keys in self._keys:
            for stream in (keys.audit, keys.dead):
                await self._redis.execute_command("XTRIM", stream, "MINID", "~", str(oldest_ms))

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
            if not str(error).startswith("BUSYGROUP"):
                raise


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


async def pools_alive(redis: AnyRedis, pools: Iterable[str]) -> list[bytes | None]:
    """In the order of ``pools``: the worker of each that beat last; None where none is alive."""
    return [await redis.get(pool_alive(pool)) for pool in pools]


__all__ = ["Keys", "Upkeep", "heartbeat", "home", "pools_alive", "retire", "trim", "workers"]
