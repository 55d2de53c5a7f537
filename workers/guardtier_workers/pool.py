"""A worker of a pool: an arq worker that rates for analyzer workers, and adds the vote to their stream.

A pool has its children alone, so that what is heavy, remote or fragile scales and fails apart from the
tier. Its only Redis is arq's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import uuid4

import orjson
from arq import Worker
from arq.worker import func

from guardtier.action import ActionEvent
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer, Recall
from guardtier.analyzers.history import History
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Assessment
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, connect, is_away, refuses_writes
from guardtier.store.keys import pool_alive, pool_queue, pool_seen
from guardtier_workers.arqredis import arq_redis, arq_url, dumps
from guardtier_workers.clock import now_ms

log = logging.getLogger(__name__)

JOB = "vote"
#: Between arq's looks at the queue: most of what a vote takes. docs/settings.md has what was measured.
POLL_SECONDS = 0.02
BEAT_SECONDS = 1.0
ALIVE_MS = 3500  #: a pool whose last heartbeat is older is not asked
SEEN_SECONDS = 7 * 24 * 3600
VOTES_SECONDS = 120  #: a vote, read or not
STALE_SECONDS = 15.0  #: without a heartbeat that got through for so long, a worker is not healthy


class PoolWorker:
    """The children of one pool, and its heartbeat. Build it once a process; close it at the end.

    Raises ConfigError where no analyzer is placed in the pool, or one can't be built.
    """

    def __init__(self, settings: Settings, pool: str) -> None:
        members = settings.pools.get(pool)
        if not members:
            known = ", ".join(sorted(settings.pools)) or "none"
            raise ConfigError(
                f"no analyzer is placed in the pool {pool!r}; pools of these settings: {known}",
                field="placement",
            )
        self.pool = pool
        self.name = f"pool-{pool}-{socket.gethostname()[:20]}-{os.getpid()}-{uuid4().hex[:6]}"
        self._children: dict[str, EnsembleSecurityAnalyzer] = {}
        for name, member in members.items():
            alone = {name: member.model_copy(update={"when": "always"})}
            made = ensemble([name], time_limit=settings.analyzer_seconds, tables=alone)
            self._children[name] = made
        self._redis: AnyRedis = connect(arq_url(settings))
        self._beat_at = 0.0
        self.handled = 0

    async def vote(
        self, name: str, event: str, digest: str, stream: str, job: str, history: str | None = None
    ) -> None:
        """Rate the action, and tell the worker that asked. ``history`` is its JSON."""
        action = ActionEvent.from_json(event.encode())
        child = self._children.get(name)
        if child is None:
            raise ConfigError(f"{name!r} is not placed in pool {self.pool}: settings differ", field=name)
        if action.digest != digest:
            raise ConfigError(f"job {job} names another digest than its action has", field="digest")
        known = History.model_validate_json(history) if history is not None else None
        assessment = await child.assess(action, _recalls(known) if known is not None else None)
        claims = child.analyzers[0].claims
        await self._tell(stream, job, digest, assessment, claims=claims)
        self.handled += 1

    async def beat(self) -> None:
        """Say that this pool lives, each second, for ever."""
        while True:
            try:
                await self._redis.set(pool_alive(self.pool), self.name, px=ALIVE_MS)
                await self._redis.set(pool_seen(self.pool), now_ms(), ex=SEEN_SECONDS)
                self._beat_at = monotonic()
            except Exception as error:
                if not (is_away(error) or refuses_writes(error)):
                    raise
            await asyncio.sleep(BEAT_SECONDS)

    @property
    def health(self) -> dict[str, object]:
        """What ``/healthz`` says."""
        fresh = monotonic() - self._beat_at < STALE_SECONDS
        return {
            "ok": fresh,
            "worker": self.name,
            "kind": "pool",
            "pool": self.pool,
            "handled": self.handled,
        }

    async def close(self) -> None:
        for child in self._children.values():
            await child.aclose()
        await self._redis.aclose()

    async def _tell(
        self, stream: str, job: str, digest: str, assessment: Assessment, *, claims: bool
    ) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        body = assessment.to_json()
        fields = {"job": job, "digest": digest, "assessment": body, "claims": int(claims)}
        oldest = now_ms() - VOTES_SECONDS * 1000
        pipeline.xadd(stream, fields, minid=oldest)  # type: ignore[arg-type]
        pipeline.expire(stream, VOTES_SECONDS)
        await pipeline.execute()


def _recalls(history: History) -> Recall:
    """The history as it was sent: what is asked in a pool is written down by whoever asks."""

    async def recall(*_: object) -> History:
        return history

    return recall


async def vote(
    ctx: dict[str, Any],
    name: str,
    event: str,
    digest: str,
    stream: str,
    job: str,
    seconds: float,
    history: str | None = None,
) -> None:
    """arq's job. It ends with the time of whoever asked: a later vote would be read by nobody."""
    worker: PoolWorker = ctx["pool"]
    async with asyncio.timeout(seconds):
        await worker.vote(name, event, digest, stream, job, history)


def arq_worker(settings: Settings, pool: PoolWorker) -> Worker:
    """The arq worker of a pool. The caller handles signals."""
    # arq logs a job's arguments, which are what an agent wrote.
    logging.getLogger("arq.worker").setLevel(logging.WARNING)
    return Worker(
        functions=[func(vote, name=JOB, keep_result=0, max_tries=1)],
        queue_name=pool_queue(pool.pool),
        redis_pool=arq_redis(settings, pool_queue(pool.pool)),
        job_serializer=dumps,
        job_deserializer=orjson.loads,
        ctx={"pool": pool},
        handle_signals=False,
        keep_result=0,
        max_jobs=settings.pool_jobs,
        max_tries=1,
        retry_jobs=False,
        job_timeout=310,  # the job has its own
        poll_delay=POLL_SECONDS,
        health_check_interval=BEAT_SECONDS,
        log_results=False,
    )


async def drained(worker: Worker, seconds: float) -> None:
    """Take no more jobs, and wait for those in work."""
    worker.allow_pick_jobs = False
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(not task.done() for task in worker.tasks.values()):
                await asyncio.wait(worker.tasks.values(), timeout=0.1)
