"""Opens connections: one Redis (``redis://``, ``rediss://``, ``unix://``) or a cluster (``redis+cluster://``)."""

from __future__ import annotations

from typing import Any, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis' own
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from guardtier.errors import ConfigError

AnyRedis: TypeAlias = "Redis | RedisCluster"

#: Redis is away, starting, or failing over. What was sent may or may not have happened.
AWAY = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    ClusterDownError,
    MasterDownError,
    TryAgainError,
    OSError,
)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0  #: one call that takes longer counts as a broken connection
CLUSTER = "redis+cluster://"


def connect(url: str, *, answer_seconds: float | None = ANSWER_SECONDS) -> AnyRedis:
    """A client whose connections open on first use. Raises ConfigError for a bad URL.

    A half-open connection must not hold an agent for ever, so calls have a limit; None where the
    caller has one of its own (``wire.py``). We retry ourselves (``pipe.py``), since only
    we know what may be sent twice.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": answer_seconds,
        "protocol": 2,  # what redis-py 5 to 8 all speak, with replies of one shape
    }
    try:
        if url.startswith(CLUSTER):
            cluster: RedisCluster = RedisCluster.from_url("redis://" + url.removeprefix(CLUSTER), **options)
            return cluster
        if not url.startswith("unix://"):
            options["socket_keepalive"] = True
        single: Redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
        return single
    except ValueError as error:
        raise ConfigError(f"redis_url: {error}", field="redis_url") from error


def refuses_writes(error: BaseException) -> bool:
    """Whether Redis lives and says no: out of memory, or unable to keep its files."""
    if isinstance(error, OutOfMemoryError):
        return True
    if not isinstance(error, ResponseError):
        return False
    text = str(error).partition(": -")[2] or str(error)  # Redis 6.2 tells an error within a script so
    return text.startswith(("MISCONF", "NOREPLICAS", "OOM"))


def is_away(error: BaseException) -> bool:
    """Whether the same call may succeed later, without anyone changing anything."""
    return isinstance(error, AWAY)


__all__ = ["AWAY", "AnyRedis", "RedisError", "connect", "is_away", "refuses_writes"]
