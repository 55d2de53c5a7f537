"""What doctor looks at. Each check is a function that yields findings, with the way to mend them."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Literal

from guardtier.analyzers.member import MemberSettings
from guardtier.analyzers.registry import check
from guardtier.errors import ConfigError, NoRedisServer
from guardtier.settings import Settings
from guardtier.settings_help import unknown_variables
from guardtier.store.connection import AnyRedis, RedisError, connect
from guardtier.store.heartbeats import heartbeats
from guardtier.store.upkeep import pools_alive
from guardtier_workers.approvers import read
from guardtier_workers.cli.tier import Tier, shown_url
from guardtier_workers.clock import now_ms
from guardtier_workers.embedded import find_redis_server
from guardtier_workers.filecheck import check_quorums
from guardtier_workers.policyfiles import own_file

Grade = Literal["ok", "warning", "failure"]

CLOCK_SECONDS = 60.0  #: proofs of answers hold for ten minutes: clocks should agree far better


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the report."""

    grade: Grade
    what: str
    says: str


def machine() -> list[Found]:
    """What can be told without a tier."""
    found = [Found("ok", "python", platform.python_version())]
    try:
        found.append(Found("ok", "embedded redis", str(find_redis_server())))
    except NoRedisServer as error:
        found.append(Found("warning", "embedded redis", error.message))
    return found


def configuration(settings: Settings, file: Path | None) -> Iterator[Found]:
    """Whether others could change the settings, and what in them or in the environment sets nothing."""
    for name in settings.analyzers:
        try:
            check(name, settings.analyzer.get(name, MemberSettings()))
        except ConfigError as error:
            yield Found("failure", "analyzers", error.message)
    if file is not None:
        yield _who_may_write("settings file", file)
    if settings.approvers_file is not None:
        yield _approvers(settings.approvers_file)
    if settings.policy_file is not None:
        yield _policy(settings, settings.policy_file)
    for member in settings.analyzer.values():
        code = Path((member.use or "").rpartition(":")[0])
        if code.suffix == ".py" and code.is_file():
            yield _who_may_write("analyzer's file", code)
    for variable in unknown_variables(os.environ, Settings.model_fields):
        yield Found("warning", "environment", f"{variable} sets nothing: no setting has this name")


def _approvers(file: Path) -> Found:
    try:
        read(file)
    except (ConfigError, OSError) as error:
        return Found("failure", "approvers file", f"can't be read, so nobody can answer: {error}")
    return _who_may_write("approvers file", file)


def _policy(settings: Settings, file: Path) -> Found:
    try:
        found = own_file(settings)
        if found is not None and settings.approvers_file is not None:
            check_quorums(found.compiled, read(settings.approvers_file), str(file))
    except (ConfigError, OSError) as error:
        return Found("failure", "policy file", str(error))
    return _who_may_write("policy file", file)


def _who_may_write(what: str, file: Path) -> Found:
    """Whoever can change it decides what the tier's workers run and release."""
    about = file.stat()
    if about.st_uid not in (os.geteuid(), 0):
        return Found("warning", what, f"{file} belongs to another user (uid {about.st_uid})")
    if about.st_mode & stat.S_IWOTH:
        return Found("warning", what, f"{file} can be written by everybody: chmod o-w {file}")
    return Found("ok", what, str(file))


async def tier(at: Tier) -> AsyncIterator[Found]:
    """What a tier that answers says of itself."""
    yield Found("ok", "redis", f"{shown_url(at.url)} answers")
    async for found in _server(at.redis):
        yield found
    async for found in _workers(at):
        yield found
    async for found in _pools(at):
        yield found
    async for found in _streams(at):
        yield found


async def _server(redis: AnyRedis) -> AsyncIterator[Found]:
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

    try:
        settings = await redis.config_get("append*")
        settings |= await redis.config_get("maxmemory-policy")
    except RedisError as error:
        yield Found("warning", "durability", f"can't be read ({error}): look at it on the server")
    else:
        yield _durability(settings)
        policy = settings.get("maxmemory-policy")
        if policy == "noeviction":
            yield Found("ok", "eviction", "none: a full Redis refuses, it forgets nothing")
        else:
            yield Found("failure", "eviction", f"{policy}: parked actions may vanish; set noeviction")

    seconds, micros = await redis.time()
    skew = abs(time() - seconds - micros / 1e6)
    grade: Grade = "ok" if skew < CLOCK_SECONDS else "failure"
    yield Found(grade, "clocks", f"this machine and Redis differ by {skew:.1f} s")


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


async def _workers(at: Tier) -> AsyncIterator[Found]:
    try:
        alive = await heartbeats(at.redis, at.partitions)
    except RedisError:
        alive = []
    for kind in ("analyzer", "policy"):
        mine = [one for one in alive if one.kind == kind]
        if mine:
            handled = sum(one.handled for one in mine)
            yield Found("ok", f"{kind} workers", f"{len(mine)} alive, {handled} handled")
        else:
            yield Found("failure", f"{kind} workers", f"none alive: start one with guardtier worker {kind}")


async def _pools(at: Tier) -> AsyncIterator[Found]:
    pools = at.settings.pools
    if not pools:
        return
    url = at.settings.arq_url or at.url
    redis = connect(url)
    try:
        alive = await pools_alive(redis, pools)
    except RedisError as error:
        yield Found("failure", "pools", f"arq's Redis at {shown_url(url)} can't be reached ({error})")
        return
    finally:
        await redis.aclose()
    for (pool, members), one in zip(pools.items(), alive, strict=True):
        if one:
            yield Found("ok", f"pool {pool}", f"alive, votes as {', '.join(members)}")
        else:
            yield Found("failure", f"pool {pool}", f"no worker alive: guardtier worker pool {pool}")


async def _streams(at: Tier) -> AsyncIterator[Found]:
    fleets = await at.upkeep.fleets()
    if fleets:
        yield Found("ok", "fleets", ", ".join(fleets))
    else:
        yield Found("failure", "fleets", "none is registered: guardtier fleet add NAME")
        return
    if waiting := [stream for stream, _ in await at.upkeep.stuck(now_ms())]:
        yield Found("failure", "work", f"entries are stuck in {', '.join(waiting)}")
    async with at.reader() as reader:
        yield Found("ok", "parked", f"{await reader.count()} wait for a person")
