"""How arq is spoken to: where it is, and in JSON.

Its default, pickles, would run the code of whoever can write to Redis.
"""

from __future__ import annotations

from typing import Any

import orjson
from arq import ArqRedis

from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.store.address import Kind, address_of
from guardtier.store.connection import ANSWER_SECONDS, pool_to


def arq_url(settings: Settings) -> str:
    """The Redis of arq's jobs: the tier's own, unless that is a cluster. Raises ConfigError."""
    url = settings.arq_url or settings.redis_url
    if address_of(url).kind is Kind.CLUSTER:
        raise ConfigError("arq speaks no cluster protocol: give it a Redis of its own", field="arq_url")
    return url


def arq_redis(settings: Settings, queue: str, *, answer_seconds: float | None = ANSWER_SECONDS) -> ArqRedis:
    """A client of arq's, for a worker or for who queues jobs; its master is looked up where sentinels know
    it. Close it with ``aclose(close_connection_pool=True)``; a worker does so itself.
    """
    return ArqRedis(
        pool_to(arq_url(settings), answer_seconds=answer_seconds),
        job_serializer=dumps,
        job_deserializer=orjson.loads,
        default_queue_name=queue,
    )


def dumps(value: Any) -> bytes:
    """What arq keeps of a job is numbers and strings; an error that it reports becomes its text."""
    return orjson.dumps(value, default=str)
