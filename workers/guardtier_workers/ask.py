"""Pools: how an analyzer worker asks pools of arq workers for the votes of children placed there.

The vote comes back on a stream of this worker's own, so nobody polls for it. A pool that is away, late
or overloaded costs its own vote and nobody else's: its children vote as ``absent`` says.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import uuid4

from arq.constants import job_key_prefix
from pydantic import ValidationError

from guardtier.action import ActionEvent
from guardtier.analyzers.base import ABSTAINS, SecurityAnalyzer
from guardtier.analyzers.history import History
from guardtier.analyzers.member import MemberSettings
from guardtier.analyzers.registry import wants_history
from guardtier.assessment import MAX_FINDINGS, MAX_MESSAGE, Assessment, Finding
from guardtier.risk import SecurityRisk
from guardtier.settings import Settings
from guardtier.store.keys import pool_alive, pool_queue, pool_seen, votes
from guardtier.store.tail import Tail
from guardtier_workers.arqredis import arq_redis, arq_url
from guardtier_workers.pool import JOB

log = logging.getLogger(__name__)

MAX_ASKS = 256  #: open at once, a pool; beyond, it counts as absent
MAX_VOTE = 256 * 1024  #: bytes of a vote
DROP_SECONDS = 2.0
#: Jobs are dated back, so that a pool whose clock is behind ours by less does not let them wait.
CLOCKS = timedelta(minutes=1)


class Absent(Exception):
    """The pool has not voted; the message says why, for the finding."""


class Untrusted(Exception):
    """What came as a vote is none for this action."""


@dataclass(slots=True)
class _Pool:
    name: str
    asks: dict[str, asyncio.Future[dict[bytes, bytes]]] = field(default_factory=dict)


class Pools:
    """The pools of one analyzer worker. Use it as a context manager around the worker's run."""

    def __init__(self, settings: Settings, worker: str) -> None:
        self._seconds = settings.analyzer_seconds
        self._redis = arq_redis(settings, "")
        self._stream = votes(worker)
        self._pools = {name: _Pool(name) for name in settings.pools}
        self._tail = Tail(arq_url(settings), self._stream, self._on_vote)
        self._start: asyncio.Task[None] | None = None
        self._dropping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        # Not awaited: the tier serves while arq's Redis is away.
        self._start = asyncio.create_task(self._tail.start(), name="guardtier-votes")
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = asyncio.ensure_future(self._tail.close())  # at once: see replies.py
        if self._start is not None:
            self._start.cancel()
            await asyncio.gather(self._start, return_exceptions=True)
        await closing
        await asyncio.gather(*self._dropping, return_exceptions=True)
        await self._redis.aclose(close_connection_pool=True)

    def child(self, name: str, member: MemberSettings) -> SecurityAnalyzer:
        """What stands in the ensemble for a member that is placed in a pool."""
        made = TracedPoolChild if wants_history(name, member) else PoolChild
        return made(self, name, member, member.time_limit or self._seconds)

    async def ask(
        self, pool: str, name: str, action: ActionEvent, seconds: float, history: History | None = None
    ) -> tuple[Assessment, bool]:
        """The vote of a pool's analyzer, and whether it only claims. Raises Absent, Untrusted."""
        of = self._pools[pool]
        if len(of.asks) >= MAX_ASKS:
            raise Absent(f"{MAX_ASKS} votes are asked of it already")
        if self._start is None or not self._start.done() or self._tail.trouble:
            raise Absent(f"its Redis can't be reached ({self._tail.trouble or 'not yet'})")
        job, digest = uuid4().hex, action.digest
        vote = of.asks[job] = asyncio.get_running_loop().create_future()
        queued = False
        try:
            async with asyncio.timeout(seconds):
                await self._check_alive(of)
                queued = True
                await self._queue(of, job, name, digest, action, seconds, history)
                fields = await vote
        except TimeoutError as error:
            raise Absent(f"it has not voted within {seconds:g} s") from error
        except Absent:
            raise
        except Exception as error:
            raise Absent(f"it can't be asked ({type(error).__name__})") from error
        finally:
            del of.asks[job]
            if queued and (vote.cancelled() or not vote.done()):
                self._drop(of, job)
        return _believed(fields, digest), fields.get(b"claims") != b"0"

    async def _check_alive(self, of: _Pool) -> None:
        alive, seen = await self._redis.mget(pool_alive(of.name), pool_seen(of.name))
        if alive is None:
            raise Absent(f"no worker of it is alive{_since(seen)}: guardtier worker pool {of.name}")

    async def _queue(
        self,
        of: _Pool,
        job: str,
        name: str,
        digest: str,
        action: ActionEvent,
        seconds: float,
        history: History | None,
    ) -> None:
        await self._redis.enqueue_job(
            JOB,
            name,
            action.to_json().decode(),
            digest,
            self._stream,
            job,
            seconds,
            *([history.model_dump_json()] if history is not None else []),
            _job_id=_arq_id(of.name, job),
            _queue_name=pool_queue(of.name),
            _defer_until=datetime.now(tz=UTC) - CLOCKS,
            _expires=seconds,
        )

    def _drop(self, of: _Pool, job: str) -> None:
        """Take a job back that nobody waits for, without waiting for it."""

        async def drop() -> None:
            with suppress(Exception):  # it expires by itself
                async with asyncio.timeout(DROP_SECONDS):
                    await self._redis.zrem(pool_queue(of.name), _arq_id(of.name, job))
                    await self._redis.delete(job_key_prefix + _arq_id(of.name, job))

        if len(self._dropping) < MAX_ASKS:
            task = asyncio.create_task(drop())
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    def _on_vote(self, entry: str, fields: dict[bytes, bytes]) -> None:
        job = fields.get(b"job", b"").decode(errors="replace")
        for of in self._pools.values():
            vote = of.asks.get(job)
            if vote is not None and not vote.done():
                vote.set_result(fields)
                return
        log.info("a vote that nobody waits for (any more): %s", entry)


class PoolChild(SecurityAnalyzer):
    """Votes as the analyzer of this name in a pool does, or as ``absent`` says."""

    name: ClassVar[str] = "pool"

    def __init__(self, pools: Pools, name: str, member: MemberSettings, seconds: float) -> None:
        self._pools, self._name, self._seconds = pools, name, seconds
        self._pool, self._absent = str(member.pool), member.absent

    @property
    def label(self) -> str:
        return self._name

    async def assess(self, action: ActionEvent) -> Assessment:
        return await self._asked(action, None)

    async def _asked(self, action: ActionEvent, history: History | None) -> Assessment:
        try:
            vote, self.claims = await self._pools.ask(
                self._pool, self._name, action, self._seconds, history
            )
            return vote
        except Absent as error:
            log.warning("analyzer %s: the pool %s is absent: %s", self._name, self._pool, error)
            return self._vote("pool.absent", SecurityRisk(self._absent), f"is absent: {error}")
        except Untrusted as error:
            log.warning("analyzer %s: a vote of pool %s is not believed: %s", self._name, self._pool, error)
            return self._vote("pool.untrusted", SecurityRisk.HIGH, f"sent what is not believed: {error}")

    def _vote(self, finding: str, risk: SecurityRisk, says: str) -> Assessment:
        message = f"The pool {self._pool}, asked for the vote of {self._name}, {says}."[:MAX_MESSAGE]
        return Assessment(risk=risk, findings=(Finding(id=finding, risk=risk, message=message),))


class TracedPoolChild(PoolChild):
    """The same for an analyzer that looks at the conversation."""

    async def assess(self, action: ActionEvent, history: History | None = None) -> Assessment:
        return await self._asked(action, history)


def _arq_id(pool: str, job: str) -> str:
    return f"{pool}:{job}"


def _since(seen: Any) -> str:
    try:
        at = datetime.fromtimestamp(int(seen) / 1000, tz=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return ", as far as is known"
    return f" since {at:%Y-%m-%d %H:%M:%S} UTC"


def _believed(fields: dict[bytes, bytes], digest: str) -> Assessment:
    raw = fields.get(b"assessment", b"")
    if fields.get(b"digest", b"").decode(errors="replace") != digest:
        raise Untrusted("a vote for another digest")
    if len(raw) > MAX_VOTE:
        raise Untrusted(f"a vote of {len(raw)} bytes, above {MAX_VOTE}")
    try:
        found = Assessment.from_json(raw)
    except ValidationError as error:
        raise Untrusted("a vote that can't be read") from error
    if found.failed or len(found.findings) > MAX_FINDINGS or len(found.votes) > 1:
        raise Untrusted("a vote that no pool gives")
    if not found.votes:  # its analyzer had nothing to say
        return ABSTAINS
    return Assessment(risk=found.risk, findings=found.findings)


__all__ = ["MAX_ASKS", "MAX_VOTE", "Absent", "PoolChild", "Pools", "Untrusted"]
