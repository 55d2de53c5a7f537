"""Queue: notices as deferred arq jobs, a queue for each channel: one that hangs holds up no other."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from guardtier.settings import Settings
from guardtier.store.connection import AWAY
from guardtier.store.keys import ARQ_QUEUE, notices_queue
from guardtier_workers.arqredis import arq_redis
from guardtier_workers.clock import now_ms
from guardtier_workers.notices.plan import Notice

log = logging.getLogger(__name__)

TRIES_FOR_SECONDS = 5.0  #: to queue one notice; below claim_seconds, after which another worker tries
HOUR_MS = 3_600_000
_PAUSE_SECONDS = 0.2


class NoticeQueue:
    """Queues notices. A job's id is the notice's, so that arq keeps one of those that are alike."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = arq_redis(settings, ARQ_QUEUE)

    async def __call__(self, notice: Notice) -> None:
        """Raises TimeoutError where arq's Redis stays away."""
        if notice.channel not in self._settings.channel:
            log.error("nobody is told of %s: there is no channel %s", notice.action_id, notice.channel)
            return
        async with asyncio.timeout(TRIES_FOR_SECONDS):
            while True:
                try:
                    await self._enqueue(notice)
                    return
                except AWAY as error:
                    log.debug("%s is not queued yet: %r", notice.id, error)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def close(self) -> None:
        await self._pool.aclose(close_connection_pool=True)

    async def _enqueue(self, notice: Notice) -> None:
        # arq makes of a time that passed more than a day ago an expiry that Redis refuses
        due = max(notice.due, now_ms() - HOUR_MS)
        await self._pool.enqueue_job(
            "notify",
            *notice,
            _job_id=notice.id,
            _queue_name=notices_queue(notice.channel),
            _defer_until=datetime.fromtimestamp(due / 1000, tz=UTC),
        )
