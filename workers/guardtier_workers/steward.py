"""Steward: the arq worker that does the slow, deferred and periodic work.

Deadlines are deferred jobs, one for each second in which something falls due; a sweep finds
whatever a lost job left behind. It holds no state: any number of stewards may run, and each script
decides. Jobs are JSON, not arq's default: unpickling would run the code of whoever can write to Redis.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import orjson
from arq import Worker, cron
from arq.connections import RedisSettings
from arq.worker import func

from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, connect
from guardtier.store.keys import ARQ_QUEUE, all_keys
from guardtier.store.ledger import Ledger, Retention
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Records
from guardtier.store.upkeep import Upkeep, trim
from guardtier_workers.arqredis import arq_redis, arq_url, dumps
from guardtier_workers.clock import now_ms
from guardtier_workers.timeouts import Schedule, Timeouts

log = logging.getLogger(__name__)

SWEEP_SECONDS = range(0, 60, 5)
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
        retention = Retention(int(settings.retain_seconds * 1000), int(settings.reply_seconds * 1000))
        self._ledgers = [Ledger(self._pipe, keys, retention) for keys in self._keys]
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
        expired = left = 0  # left: they stay where they are, since the clocks differ or none can read them
        due_ms = now_ms()  # what falls due meanwhile, or once more, is for the next look: this one ends
        while ids := await self._records.due(partition, now_ms=due_ms, limit=PAGE, after=left):
            ledger = self._ledgers[partition]
            for action_id in ids:
                if self.stopped:
                    return expired
                done = await self._timeouts.settle(ledger, partition, action_id)
                expired += done
                left += not done
        return expired

    async def sweep(self) -> int:
        """The safety net: every partition, whatever jobs were lost."""
        return sum([await self.expire_due(keys.partition) for keys in self._keys])

    async def tidy(self) -> None:
        """Retention: old audit records, finished entries, consumers that are gone."""
        await self._upkeep.forget_before(now_ms() - int(self._settings.audit_seconds * 1000))
        for stream, group in await self._upkeep.work_streams():
            await trim(self._pipe, stream)
            await self._upkeep.retire_idle(stream, group, FORGET_CONSUMER_MS)

    async def stuck(self) -> list[str]:
        """The streams in which something waits although a live group would have taken it over."""
        found = await self._upkeep.stuck(now_ms())
        for stream, group in found:
            log.error("%s: entries wait in group %s; does a worker of it run?", stream, group)
        return [stream for stream, _ in found]


class Deadlines:
    """What the policy worker calls when it has parked: one arq job a second and partition."""

    def __init__(self, settings: Settings) -> None:
        self._pool = arq_redis(settings, ARQ_QUEUE)
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
    return await _steward(ctx).sweep()


async def tidy(ctx: dict[str, Any]) -> None:
    await _steward(ctx).tidy()


async def check_stuck(ctx: dict[str, Any]) -> list[str]:
    return await _steward(ctx).stuck()


def arq_worker(settings: Settings, steward: Steward) -> Worker:
    """The arq worker around a steward. The caller handles signals."""
    return Worker(
        functions=[func(expire_due, name="expire_due", keep_result=0, max_tries=3)],
        cron_jobs=[
            cron(sweep, second=set(SWEEP_SECONDS), keep_result=0),
            cron(tidy, second={30}, keep_result=0),
            cron(check_stuck, second={45}, keep_result=0),
        ],
        queue_name=ARQ_QUEUE,
        redis_settings=RedisSettings.from_dsn(arq_url(settings)),
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
