"""What doctor looks at in Redis itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from time import time
from typing import Any

from guardtier.store.connection import AnyRedis, RedisError
from guardtier_workers.cli.found import Found, Grade

CLOCK_SECONDS = 60.0  #: proofs of answers hold for ten minutes: clocks should agree far better
NEARLY_FULL = 0.9
REFUSE = ("memory", "disk")  #: where one of these fails, Redis takes no writes
MIB = 1024 * 1024
REFUSED_SECONDS = 600.0  #: what Redis refused before then is somebody else's story
MOST_REFUSED = 5  #: users that are named
_EVERYTHING = {"~*", "&*", "+@all"}


async def server(redis: AnyRedis) -> AsyncIterator[Found]:
    """Its version, whether it keeps what it is told, takes writes, and has our time."""
    info = await redis.info()
    number = str(info.get("redis_version", "0.0"))
    major, minor = (int(part) for part in number.split(".")[:2])
    if (major, minor) < (6, 2):
        yield Found("failure", "redis version", f"{number}: 6.2 is the least, 7.0 is advised")
    elif major < 7:
        yield Found(
            "warning",
            "redis version",
            f"{number}: roles (ACL) hold only from 7.0 on; fine for one team",
        )
    else:
        yield Found("ok", "redis version", number)

    for found in (*_role(info), _memory(info), *_disk(info)):
        yield found
    try:
        settings = await redis.config_get("append*")
        settings |= await redis.config_get("maxmemory-policy")
    except RedisError as error:
        yield Found("warning", "durability", f"can't be read ({error}): look at it on the server")
    else:
        yield _durability(settings)
        for found in await _reads_all_of_its_file(redis, settings):
            yield found
        policy = settings.get("maxmemory-policy")
        if policy == "noeviction":
            yield Found("ok", "eviction", "none: a full Redis refuses, it forgets nothing")
        else:
            yield Found("failure", "eviction", f"{policy}: parked actions may vanish; set noeviction")

    for found in await _refused(redis):
        yield found

    seconds, micros = await redis.time()
    skew = abs(time() - seconds - micros / 1e6)
    grade: Grade = "ok" if skew < CLOCK_SECONDS else "failure"
    yield Found(grade, "clocks", f"this machine and Redis differ by {skew:.1f} s")


def _role(info: Mapping[str, Any]) -> Iterator[Found]:
    if info.get("role") == "slave":
        master = f"{info.get('master_host')}:{info.get('master_port')}"
        says = f"a replica of {master}, so it takes no writes: name its master in redis_url"
        yield Found("failure", "role", f"{says}, or the sentinels that know it (docs/faults.md)")


def _durability(settings: dict[str, str]) -> Found:
    if settings.get("appendonly") != "yes":
        return Found("failure", "durability", "no append-only file: a restart forgets what is parked")
    if settings.get("appendfsync") != "always":
        return Found(
            "warning",
            "durability",
            f"appendfsync {settings.get('appendfsync')}: a power cut may lose the last second; set always",
        )
    return Found("ok", "durability", "append-only file, appendfsync always")


async def _reads_all_of_its_file(redis: AnyRedis, settings: dict[str, str]) -> list[Found]:
    """Redis reads its append-only file as the default user, and leaves out scripts that it may not run."""
    if settings.get("appendonly") != "yes":
        return []
    try:
        users = [str(line).split() for line in await redis.execute_command("ACL LIST")]
    except RedisError:
        return []  # this credential may not look
    rules = next((line[2:] for line in users if line[1] == "default"), [])
    if set(rules) >= _EVERYTHING:  # -@dangerous and the like take nothing from scripts
        return []
    says = (
        "the ACL's default user may not do everything: Redis starts again without what scripts wrote since "
        "its append-only file was rewritten last. ACL SETUSER default ~* &* +@all (it may stay off), now "
        "and in users.acl, before anything restarts it: docs/roles.md"
    )
    return [Found("failure", "default user", says)]


async def _refused(redis: AnyRedis) -> list[Found]:
    """Whom Redis has refused something of late: roles for fewer partitions, or of another version."""
    try:
        log: list[dict[str, Any]] = await redis.execute_command("ACL LOG")
    except RedisError:
        return []  # this credential may not look
    last: dict[str, dict[str, Any]] = {}  # the newest entry stands first
    for entry in log:
        if float(entry["age-seconds"]) < REFUSED_SECONDS:
            last.setdefault(str(entry["username"]), entry)
    return [_refusal(name, entry) for name, entry in list(last.items())[:MOST_REFUSED]]


def _refusal(user: str, entry: Mapping[str, Any]) -> Found:
    ago = f"{float(entry['age-seconds']):.0f} s ago"
    if entry["reason"] == "auth":
        return Found("warning", "roles", f"Redis refused the password of {user} {ago}")
    says = f"Redis refused {user} the {entry['reason']} {entry['object']} {ago}: is its line in users.acl"
    return Found("warning", "roles", f"{says} of this version, and for these partitions? docs/roles.md")


def _memory(info: Mapping[str, Any]) -> Found:
    """As Redis counts when it refuses: without the buffers of its replicas and of its file."""
    most = int(info.get("maxmemory", 0))
    used = int(info.get("used_memory", 0)) - int(info.get("mem_not_counted_for_evict", 0))
    if not most:
        return Found(
            "warning",
            "memory",
            f"{used / MIB:.1f} MiB, no limit: a flood may take all of the machine's, and Redis be killed: "
            "set maxmemory (docs/limits.md)",
        )
    says = f"{used / MIB:.1f} of {most / MIB:.1f} MiB (maxmemory)"
    if used > most:
        return Found(
            "failure",
            "memory",
            f"full, {says}: Redis refuses writes, so nothing is released. CONFIG SET maxmemory to more, "
            "then see what fills it (guardtier pending; docs/limits.md); the tier goes on by itself",
        )
    if used > most * NEARLY_FULL:
        return Found("warning", "memory", f"nearly full, {says}: once it is, Redis refuses what is new")
    return Found("ok", "memory", says)


def _disk(info: Mapping[str, Any]) -> Iterator[Found]:
    if info.get("aof_last_write_status", "ok") != "ok":
        yield Found(
            "failure",
            "disk",
            "Redis can't write its append-only file, so it refuses writes and nothing is released: is its "
            "disk full or read-only? Its log says why; the tier goes on by itself",
        )
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield Found(
            "warning",
            "snapshot",
            "the last one failed: with `save` set, Redis refuses writes until one succeeds; see its log",
        )
