"""Opens connections: one Redis (``redis://``, ``rediss://``, ``unix://``), a cluster (``redis+cluster://``),
or the master that sentinels name (``redis+sentinel://``)."""

from __future__ import annotations

from typing import Any, TypeAlias

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    ConnectionError,  # noqa: A004 - redis' own
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
    WatchError,
)

from guardtier.errors import ConfigError
from guardtier.store.address import Kind, address_of
from guardtier.store.cluster import Cluster, ClusterWire
from guardtier.store.resets import told
from guardtier.store.sentinels import master_pool
from guardtier.store.wire import SingleWire, Wire

AnyRedis: TypeAlias = "Redis | Cluster"

#: Redis is away, starting, or failing over. What was sent may or may not have happened.
AWAY = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    ClusterDownError,
    ClusterError,
    RedisClusterException,
    MasterDownError,
    AskError,  # MovedError, too: the nodes can't agree yet
    TryAgainError,
    WatchError,  # how redis-py tells a transaction (arq's) that its connection is lost
    OSError,
)
#: The same as texts: of a slow script redis-py has no class, of a cluster's errors only in its own client,
#: and Redis 6.2 tells a script's error within another.
_AWAY_TEXTS = ("BUSY ", "READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "TRYAGAIN", "MOVED ", "ASK ")

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0  #: one call that takes longer counts as a broken connection


def connect(url: str, *, answer_seconds: float | None = ANSWER_SECONDS) -> AnyRedis:
    """A client whose connections open on first use. Raises ConfigError for a bad URL.

    A half-open connection must not hold an agent for ever, so calls have a limit; None where the
    caller has one of its own (``wire.py``). We retry ourselves (``pipe.py``), since only
    we know what may be sent twice.
    """
    address = address_of(url)
    if address.kind is Kind.CLUSTER:
        return Cluster(address, _options(answer_seconds))  # type: ignore[abstract]
    made: Redis = Redis.from_pool(pool_to(url, answer_seconds=answer_seconds))
    return made


def wire_to(redis: AnyRedis, *, answer_seconds: float, most_bytes: int | None = None) -> Wire:
    """A wire to where this client points. A round trip that takes longer, or brings more, breaks the
    connection.
    """
    if isinstance(redis, Cluster):
        return ClusterWire(redis, answer_seconds, most_bytes)
    return SingleWire(redis.connection_pool, answer_seconds, most_bytes)


def pool_to(url: str, *, answer_seconds: float | None = ANSWER_SECONDS) -> ConnectionPool:
    """The connections of :func:`connect`, for another kind of client (arq's). Raises ConfigError, also
    where the URL names a cluster.
    """
    address = address_of(url)
    options = _options(answer_seconds) | {"retry": Retry(NoBackoff(), 0)}
    if address.kind is Kind.CLUSTER:
        raise ConfigError("a cluster has no single pool of connections", field="redis_url")
    if address.kind is Kind.SENTINEL:
        return told(master_pool(address, options | {"socket_keepalive": True}))
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    try:
        return told(ConnectionPool.from_url(url, **options))
    except ValueError as error:
        raise ConfigError(f"redis_url: {error}", field="redis_url") from error


def _options(answer_seconds: float | None) -> dict[str, Any]:
    return {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": answer_seconds,
        "protocol": 2,  # what redis-py 5 to 8 all speak, with replies of one shape
    }


def refuses_writes(error: BaseException) -> bool:
    """Whether Redis lives and says no: out of memory, unable to keep its files, or without its replicas."""
    if out_of_memory(error):
        return True
    return isinstance(error, ResponseError) and _said(error).startswith(("MISCONF", "NOREPLICAS"))


def out_of_memory(error: BaseException) -> bool:
    """Whether Redis refuses writes since it has no memory for them."""
    if isinstance(error, OutOfMemoryError):
        return True
    return isinstance(error, ResponseError) and _said(error).startswith("OOM")


def refuses_credential(error: BaseException) -> bool:
    """Whether Redis does not know the credential, or does not let it do this. redis-py tells the first as a
    broken connection. Of several that ended together, one does.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(refuses_credential, error.exceptions))
    wrong = (NoPermissionError, AuthenticationError)
    return isinstance(error, wrong) or isinstance(error.__cause__, wrong)


def is_wrong_type(error: BaseException) -> bool:
    """Whether a key holds another kind of value than the one that it is for: it is damaged."""
    return isinstance(error, ResponseError) and _said(error).startswith("WRONGTYPE")


def is_away(error: BaseException) -> bool:
    """Whether the same call may succeed later, without anyone changing anything."""
    if isinstance(error, AWAY):
        return True
    return isinstance(error, ResponseError) and _said(error).startswith(_AWAY_TEXTS)


def trouble_of(error: BaseException) -> str:
    """What is wrong, for a person: a time that ran out has no words of its own."""
    return f"{type(error).__name__}: {error}" if str(error) else "Redis does not answer"


def _said(error: BaseException) -> str:
    """What Redis says, where redis-py tells of which command of a pipeline, or 6.2 of which of a script."""
    text = str(error)
    for mark in ("of pipeline caused error: ", ": -"):
        text = text.partition(mark)[2].lstrip("('\"") or text
    return text


__all__ = [
    "AWAY",
    "AnyRedis",
    "RedisError",
    "connect",
    "is_away",
    "is_wrong_type",
    "out_of_memory",
    "pool_to",
    "refuses_credential",
    "refuses_writes",
    "trouble_of",
    "wire_to",
]
