"""Jobs: the arq workers that send notices, one for each channel."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from arq import Retry, Worker
from arq.worker import func
from pydantic import TypeAdapter, ValidationError

from guardtier.errors import GuardtierError, NoticeNotSent
from guardtier.policy.terms import Terms
from guardtier.settings import Settings
from guardtier.state import State
from guardtier.store.connection import AnyRedis, connect
from guardtier.store.keys import notices_queue
from guardtier.store.records import Records
from guardtier_workers.arqredis import arq_redis, dumps
from guardtier_workers.clock import now_ms
from guardtier_workers.notices.channels import Channels
from guardtier_workers.notices.plan import Notice
from guardtier_workers.notices.queue import NoticeQueue
from guardtier_workers.notices.rendering import Renderer
from guardtier_workers.timeouts import terms_of

log = logging.getLogger(__name__)

_NOTICE = TypeAdapter(Notice)  #: whoever can write to arq's Redis can write what stands in a job

AT_ONCE = 8  #: notices on their way to one channel
POLL_SECONDS = 0.5
TRIES = 12  #: over 50 minutes; the action's reminders are notices of their own
FIRST_PAUSE = 5.0  #: seconds before the second try; twice as long before each further one
LONGEST_PAUSE = 600.0
REMEMBERED_SECONDS = 3600  #: for so long a notice that went out is not queued again
BESIDE_SECONDS = 20  #: of a job, beside its channel's time limit. A dead steward's job waits for so long


class Notifier:
    """Sends notices of actions that still wait. Build it once a process; close it at the end."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError where a channel's library is missing."""
        self._redis: AnyRedis = connect(settings.redis_url)
        self._records = Records(self._redis, settings.partitions)
        self._channels = Channels(settings)
        self._renderer = Renderer(settings)
        self._queue = NoticeQueue(settings)

    async def close(self) -> None:
        await self._queue.close()
        await self._redis.aclose()

    async def notify(self, notice: Notice) -> str:
        """Send it if the action still waits, and queue the reminder after it. Returns what was done.

        Raises NoticeNotSent, and what Redis raises.
        """
        try:
            record = await self._records.get(notice.action_id)
        except GuardtierError:
            return "the action is gone"
        if record.state is not State.PARKED:
            return f"the action is {record.state.value}"
        terms = terms_of(record)
        if notice.what == "reminder":
            await self._queue_the_one_after(notice, terms)
        shown = await asyncio.to_thread(self._renderer.shown, record, terms, notice)
        await self._channels.send(notice.channel, shown)
        return "sent"

    async def _queue_the_one_after(self, notice: Notice, terms: Terms) -> None:
        """Before this one is sent, so that a chain of reminders outlives a channel that fails for hours.

        From now on, where this one is late: nobody wants all those that were missed at once.
        """
        late = notice._replace(due=max(notice.due, now_ms()))
        following = late.next_reminder(terms)
        if following is not None:
            await self._queue(following)


async def notify(ctx: dict[str, Any], *values: Any) -> str:
    """The arq job of one notice. What fails is tried again for as long as that may help."""
    notifier, attempt = ctx["notifier"], int(ctx["job_try"])
    assert isinstance(notifier, Notifier)  # noqa: S101 - put there by arq_worker
    try:
        notice = _NOTICE.validate_python(values)
    except ValidationError:
        log.exception("job %s can't be read", ctx["job_id"])
        return "it can't be read"
    if notice.channel != ctx["channel"]:
        return f"it is for the channel {notice.channel}"
    try:
        return await notifier.notify(notice)
    except NoticeNotSent as failure:
        if not failure.again or attempt >= TRIES:
            # no traceback: what is in it may name the URL
            log.error(  # noqa: TRY400
                "%s is given up after %d tries: %s", notice.id, attempt, failure.message
            )
            return f"given up: {failure.message}"
        pause = failure.wait or 0.0
        log.warning("%s is tried again: %s", notice.id, failure.message)
    except Exception:
        if attempt >= TRIES:
            raise
        log.exception("%s is tried again", notice.id)
        pause = 0.0
    raise Retry(max(pause, pause_before(attempt + 1)))


def pause_before(attempt: int) -> float:
    """Seconds to wait before this try, the second being the first to wait."""
    return float(min(FIRST_PAUSE * 2 ** (attempt - 2), LONGEST_PAUSE))


def arq_worker(settings: Settings, notifier: Notifier, channel: str) -> Worker:
    """The arq worker of one channel. The caller handles signals."""
    seconds = settings.channel[channel].timeout + BESIDE_SECONDS
    return Worker(
        functions=[func(notify, name="notify", max_tries=TRIES, timeout=seconds)],
        queue_name=notices_queue(channel),
        redis_pool=arq_redis(settings, notices_queue(channel)),
        job_serializer=dumps,
        job_deserializer=orjson.loads,
        ctx={"notifier": notifier, "channel": channel},
        handle_signals=False,
        max_jobs=AT_ONCE,
        poll_delay=POLL_SECONDS,
        keep_result=REMEMBERED_SECONDS,
    )
