"""Reading: everything that a tier wrote down: its audit streams and its records, as plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from redis.asyncio import RedisCluster

from audit_model import ENTRY
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import Keys, all_keys

PAGE = 2000

Line = dict[str, str]  #: an audit line's fields, in order; its id in the stream at ``ENTRY``


@dataclass
class Written:
    """The audit lines of each partition, in order; the records by their ids; the confirmation set; the
    server's clock (ms). ``standing``: of each partition the scopes of its halts and the version of its
    policy file. ``denied``: what Redis refused somebody, by its roles. ``keys``: the public keys by which
    verdicts may be signed, by their ids; none where nothing is signed.
    """

    lines: dict[int, list[Line]] = field(default_factory=dict)
    records: dict[str, Mapping[str, str]] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)
    now: int = 0
    standing: dict[int, set[str]] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)


async def read(redis: AnyRedis, partitions: int) -> Written:
    """Read it all. Nobody writes meanwhile."""
    written = Written()
    for keys in all_keys(partitions):
        written.lines[keys.partition] = await _lines(redis, keys.audit)
        prefix = keys.action("")
        names = [name async for name in redis.scan_iter(match=f"{prefix}*", count=PAGE)]
        for start in range(0, len(names), PAGE):
            chunk = names[start : start + PAGE]
            pipeline = redis.pipeline(transaction=False)
            for name in chunk:
                pipeline.hgetall(name)
            for name, fields in zip(chunk, await pipeline.execute(), strict=True):
                written.records[name.decode().removeprefix(prefix)] = _text(fields)
        written.parked |= {name.decode() for name in await redis.zrange(keys.parked, 0, -1)}
        written.standing[keys.partition] = await _standing(redis, keys)
        seconds, micros = await _time(redis, keys.audit)
        written.now = max(written.now, seconds * 1000 + micros // 1000)
    written.denied = await _denied(redis)
    return written


async def _lines(redis: AnyRedis, stream: str) -> list[Line]:
    found: list[Line] = []
    start = "-"
    while page := await redis.xrange(stream, min=start, count=PAGE):
        found += [{ENTRY: entry.decode()} | _text(fields) for entry, fields in page]
        start = f"({page[-1][0].decode()}"
    return found


async def _standing(redis: AnyRedis, keys: Keys) -> set[str]:
    found = {scope.decode() for scope in await redis.hkeys(keys.halts)}
    if file := await redis.hget(keys.policies, "*"):
        said = json.loads(file)
        found.add(f"{'file' if said['digest'] else 'settings'}@{said['version']}")
    return found


async def _denied(redis: AnyRedis) -> list[str]:
    """What Redis refused somebody since it started, by its roles."""
    if isinstance(redis, RedisCluster):
        each = await redis.execute_command("ACL LOG", target_nodes=RedisCluster.PRIMARIES)
        found = [one for log in each.values() for one in log]
    else:
        found = await redis.acl_log()
    return [str(one) for one in found]


async def _time(redis: AnyRedis, key: str) -> tuple[int, int]:
    """The clock of the server that holds this key: asked by a script, since that finds its node."""
    found = await redis.eval("return redis.call('TIME')", 1, key)
    return int(found[0]), int(found[1])


def _text(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
