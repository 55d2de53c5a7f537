"""Steward: the arq worker that does the slow, deferred and periodic work.

Deadlines are deferred jobs, one for each second in which something falls due; a sweep finds
whatever a lost job left behind. It holds no state: any number of stewards may run, and each script
decides. Jobs are JSON, not arq's default: unpickling would run the code of whoever can write to Redis.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from arq import Worker, cron
from arq.worker import func

from guardtier.errors import QueueFull
from guardtier.settings import Settings
from guardtier.store.connection import ANSWER_SECONDS, AnyRedis, RedisError, connect
from guardtier.store.exports import LATE_SECONDS, Behind, Exports
from guardtier.store.keys import ARQ_QUEUE, STEWARD_ALIVE, all_keys
from guardtier.store.ledger import Ledger, Retention
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Records
from guardtier.store.upkeep import Upkeep, said_if_damaged, trim
from guardtier_workers.arqredis import arq_redis, dumps
from guardtier_workers.sealer import sealer
from guardtier_workers.timeouts import Schedule, Timeouts

log = logging.getLogger(__name__)

SWEEP_SECONDS = range(0, 60, 5)
ALIVE_MS = 20_000  #: three sweeps that nobody has begun
PAGE = 500  #: actions expired in one go
FORGET_CONSUMER_MS = 10 * 60 * 1000


class Steward:
    """What the arq jobs call. Build it once a process; close it at the end."""

    def __init__(self, settings: Settings, *, schedule: Schedule | None = None) -> None:
        self._settings = settings
        self._redis: AnyRedis = connect(settings.redis_url)
        self._pipe = CommandPipe(self._redis, insist=True)
        self._keys = all_keys(settings.partitions)
        self._records = Records(self._redis, settings.partitions)
        self._timeouts = Timeouts(settings, self._records, schedule)
        self._upkeep = Upkeep(self._redis, settings.partitions)
        self._exports = Exports(self._redis, settings.partitions)
        retention = Retention(int(settings.retain_seconds * 1000), int(settings.reply_seconds * 1000))
        seal = sealer(settings)
        self._ledgers = [Ledger(self._pipe, keys, retention, seal) for keys in self._keys]
        #: Jobs end at their next action where it is set. arq cancels them, but redis-py sends by
        #: ``asyncio.wait_for``, which below Python 3.12 may lose a cancellation (gh-86296).
        self.stopped = False

    async def close(self) -> None:
        await self._pipe.close()
        await self._redis.aclose()

    async def is_well(self) -> bool:
        """Whether Redis answers."""
        return bool(await self._redis.ping())

    async def expire_due(self, partition: int) -> int:
        """Settle what is past its deadline in one partition, as its terms say; returns how many."""
        expired = left = 0  # left: they stay where they are, since none can read them
        ledger = self._ledgers[partition]
        due_ms = (
            await ledger.clock()
        )  # what falls due meanwhile, or once more, is for the next look: this one ends
        while ids := await self._records.due(partition, now_ms=due_ms, limit=PAGE, after=left):
            for action_id in ids:
                if self.stopped:
                    return expired
                done = await self._timeouts.settle(ledger, partition, action_id)
                expired += done
                left += not done
        return expired

    async def sweep(self) -> int:
        """The safety net: every partition, whatever jobs were lost."""
        return await self._in_each(self.expire_due)

    async def shed_answers(self) -> int:
        """Refuse what approvers ask beyond max_queue, the newest first; returns how many.

        Policy workers read the answers, so where none runs they would fill the memory.
        """
        most = self._settings.max_queue_of(None)
        full = QueueFull(
            f"more than {most} requests of approvers wait: does a policy worker run? Ask again after "
            "retry_after seconds",
            field="max_queue",
            limit=most,
        )

        async def shed(partition: int) -> int:
            refused, waiting = 0, most + 1
            while waiting > most and not self.stopped:  # one step may do no more than drop what is done
                done = await self._ledgers[partition].shed_answers(full, most=most)
                refused, waiting = refused + done.refused, done.waiting
            if refused:
                log.error("%d requests of approvers were refused: more than %d wait", refused, most)
            return refused

        return await self._in_each(shed)

    async def _in_each(self, work: Callable[[int], Awaitable[int]]) -> int:
        """The sum over all partitions. What is wrong with one is raised once the others had their turn."""
        done, wrong = 0, None
        for keys in self._keys:
            try:
                done += await work(keys.partition)
            except Exception as error:
                wrong = wrong or error
        if wrong is not None:
            raise wrong
        return done

    async def tidy(self) -> None:
        """Retention: old audit records, finished entries, consumers that are gone."""
        settings = self._settings
        oldest = await self._now() - int(settings.audit_seconds * 1000)
        await self._upkeep.forget_before(oldest, exporting=settings.audit_dir is not None)
        for stream, group in await self._upkeep.work_streams():
            with said_if_damaged(stream):
                await trim(self._pipe, stream)
                await self._upkeep.retire_idle(stream, group, FORGET_CONSUMER_MS)

    async def stuck(self) -> list[str]:
        """The streams in which something waits although a live group would have taken it over."""
        found = await self._upkeep.stuck(await self._now())
        for stream, group in found:
            log.error("%s: entries wait in group %s; does a worker of it run?", stream, group)
        return [stream for stream, _ in found]

    async def behind(self) -> list[Behind]:
        """The exports of the audit streams that lack more than ``audit_backlog`` lines, or lack some for
        long, and those of which Redis does not say how far they are.
        """
        for _, key in await self._exports.damaged():
            log.error("%s is of another type than it should be; docs/audit.md, Damage", key)
        most, now = self._settings.audit_backlog, await self._now()
        found = [
            one
            for one in await self._exports.behind()
            if one.lines > most or one.waits(now) > LATE_SECONDS or one.reached is None
        ]
        for one in found:
            log.error(
                "export %s lacks %d audit lines of partition %d%s: Redis keeps them until it is full, and "
                "refuses actions then; does its steward run, and is there room on its disk?",
                one.export,
                one.lines,
                one.partition,
                "" if one.reached else ", as far as can be told (gt:{p}:exported is damaged)",
            )
        return found

    async def _now(self) -> int:
        """The time by Redis' clock (ms), which dates entries; where its servers differ, the earliest."""
        return min(await asyncio.gather(*(ledger.clock() for ledger in self._ledgers)))


class Deadlines:
    """What the policy worker calls when it has parked: one arq job a second and partition."""

    def __init__(self, settings: Settings) -> None:
        self._pool = arq_redis(settings, ARQ_QUEUE, answer_seconds=None)  # the call has a limit
        self._asked: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, partition: int, deadline_ms: int) -> None:
        """Have everything due by this deadline expired. A failure is left to the sweep."""
        second = deadline_ms // 1000 + 1
        job = f"expire:{partition}:{second}"
        if job in self._asked:
            return
        self._asked[job] = None
        while len(self._asked) > 10_000:
            self._asked.popitem(last=False)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._pool.enqueue_job(
                    "expire_due",
                    partition,
                    _job_id=job,
                    _defer_until=datetime.fromtimestamp(second, tz=UTC),
                )
        except Exception as error:
            self._asked.pop(job, None)
            log.warning("deadline job %s not queued (%r); the sweep will find it", job, error)

    async def close(self) -> None:
        await self._pool.aclose(close_connection_pool=True)


async def expire_due(ctx: dict[str, Any], partition: int) -> int:
    return await _steward(ctx).expire_due(partition)


async def sweep(ctx: dict[str, Any]) -> int:
    with suppress(RedisError, OSError):  # it is for doctor alone, and deadlines don't wait for that
        await ctx["redis"].set(STEWARD_ALIVE, f"{socket.gethostname()[:20]}-{os.getpid()}", px=ALIVE_MS)
    return await _steward(ctx).sweep()


async def shed_answers(ctx: dict[str, Any]) -> int:
    return await _steward(ctx).shed_answers()


async def tidy(ctx: dict[str, Any]) -> None:
    await _steward(ctx).tidy()


async def check_stuck(ctx: dict[str, Any]) -> list[str]:
    steward = _steward(ctx)
    await steward.behind()
    return await steward.stuck()


def arq_worker(settings: Settings, steward: Steward) -> Worker:
    """The arq worker around a steward. The caller handles signals."""
    return Worker(
        functions=[func(expire_due, name="expire_due", keep_result=0, max_tries=3)],
        cron_jobs=[
            cron(sweep, second=set(SWEEP_SECONDS), keep_result=0, run_at_startup=True),
            cron(shed_answers, second=set(SWEEP_SECONDS), keep_result=0),
            cron(tidy, second={30}, keep_result=0),
            cron(check_stuck, second={45}, keep_result=0),
        ],
        queue_name=ARQ_QUEUE,
        redis_pool=arq_redis(settings, ARQ_QUEUE),
        job_serializer=dumps,
        job_deserializer=orjson.loads,
        ctx={"steward": steward},
        handle_signals=False,
        keep_result=0,
    )


def _steward(ctx: dict[str, Any]) -> Steward:
    found = ctx["steward"]
    assert isinstance(found, Steward)  # noqa: S101 - put there by arq_worker
    return found
