"""CommandPipe: what many callers ask at the same moment goes to Redis in one round trip.

While one batch is on its way the next one gathers, so a lone caller waits for nothing and a thousand
cost a few system calls. Where the connection is open there is no task to it: what is asked is written at
once, and what is told goes from the socket to who waits. Everything that is sent here may be sent twice
(scripts know their entry, submits their id), so a broken connection is answered by sending again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from random import uniform
from typing import Any

from redis.exceptions import NoScriptError, ReadOnlyError

from guardtier.errors import TierUnavailable
from guardtier.store.connection import (
    ANSWER_SECONDS,
    AnyRedis,
    is_away,
    out_of_memory,
    refuses_writes,
    trouble_of,
    wire_to,
)
from guardtier.store.scripts import Script, script

log = logging.getLogger(__name__)

MAX_BATCH = 256  #: commands of one round trip
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0  #: seconds between tries while Redis is away
SPREAD = 0.5  #: so much longer at random, or 10,000 clients would all come back at once


class _Call:
    __slots__ = ("args", "future", "script")

    def __init__(
        self, args: tuple[Any, ...], script: Script | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.args = args
        self.script = script
        self.future: asyncio.Future[Any] = loop.create_future()


class CommandPipe:
    """Sends commands of one partition, in order of arrival, many in a batch.

    With ``insist`` (workers) a refused write is tried again until Redis takes it; without (agents) it
    raises TierUnavailable at once. While Redis is away both wait; :attr:`trouble` says so.
    """

    def __init__(self, redis: AnyRedis, *, insist: bool) -> None:
        self._wire = wire_to(redis, answer_seconds=ANSWER_SECONDS)
        self._insist = insist
        self._queue: deque[_Call] = deque()
        self._sending: list[_Call] = []
        self._flusher: asyncio.Task[None] | None = None
        self._busy = False  #: something is on its way, or about to be
        self._lone = True  #: the last batch was of one: this one need not wait for others
        self._closed = False
        self.trouble: str | None = None  #: why nothing gets through at the moment
        self._is_full = False

    @property
    def is_full(self) -> bool:
        """Whether that is since Redis has no memory to write with."""
        return self.trouble is not None and self._is_full

    @property
    def is_stuck(self) -> bool:
        """Whether somebody waits for what does not get through at the moment."""
        return self.trouble is not None and self._flusher is not None

    async def execute(self, *args: Any) -> Any:
        """Send one command and return its reply. Raises what Redis answers."""
        return await self.post(*args)

    def post(self, *args: Any) -> asyncio.Future[Any]:
        """Send one command without waiting; the reply comes by the future."""
        return self._enqueue(args, None)

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run ``scripts/<name>.lua``; loads it where the server does not have it."""
        found = script(name)
        return await self._enqueue(("EVALSHA", found.sha, len(keys), *keys, *args), found)

    async def close(self) -> None:
        """Stop sending. Calls that still wait raise TierUnavailable."""
        self._closed = True
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        self._fail_all()
        await self._wire.close()

    def _enqueue(self, args: tuple[Any, ...], script: Script | None) -> asyncio.Future[Any]:
        if self._closed:
            raise TierUnavailable("the connection to the tier is closed")
        loop = asyncio.get_running_loop()
        call = _Call(args, script, loop)
        self._queue.append(call)
        if not self._busy:
            self._busy = True
            if self._lone:
                self._go()
            else:  # many ask at the same moment: the others are about to
                loop.call_soon(self._go)
        return call.future

    def _go(self) -> None:
        """Send what waits, without a task where the connection is open."""
        batch: list[_Call] = []
        while self._queue and not batch and not self._closed:
            batch = [call for call in self._take() if not call.future.done()]
        if not batch:
            self._busy = False
            return
        self._sending = batch
        self._lone = len(batch) == 1
        try:
            sent = self._wire.begin([call.args for call in batch], self._come_back)
        except Exception:
            sent = False  # what can't be packed fails in the task
        if not sent:
            self._sending = []
            self._queue.extendleft(reversed(batch))
            self._flusher = asyncio.create_task(self._flush(), name="guardtier-pipe")

    def _come_back(self, replies: Sequence[Any], error: Exception | None) -> None:
        """What was sent without a task has its replies; where they are not just that, a task goes on."""
        if self._closed:  # and they were told so
            return
        batch = self._sending
        if error is None and not any(isinstance(reply, BaseException) for reply in replies):
            self._deliver(batch, replies)
            self._sending = []
            self.trouble = None
            self._go()
            return
        self._flusher = asyncio.create_task(self._flush(replies, error), name="guardtier-pipe")

    async def _flush(self, replies: Sequence[Any] = (), error: Exception | None = None) -> None:
        """Send until nothing waits; first of all, see to what has come back of a batch."""
        pause = FIRST_PAUSE
        try:
            if error is not None or any(isinstance(reply, ReadOnlyError) for reply in replies):
                await self._wire.close()  # the next connection is a new one, to whoever is the master then
            if (error or replies) and not await self._heed(self._sending, replies, error):
                await asyncio.sleep(pause * (1 + uniform(0, SPREAD)))  # noqa: S311
            while (
                self._queue and not self._closed
            ):  # redis-py may turn a cancellation into an error of its own
                self._sending = [call for call in self._take() if not call.future.done()]
                if await self._send(self._sending):
                    pause = FIRST_PAUSE
                else:
                    await asyncio.sleep(pause * (1 + uniform(0, SPREAD)))  # noqa: S311
                    pause = min(pause * 2, LONGEST_PAUSE)
        except BaseException:  # whatever ends it, nobody may wait for ever for what it had in hand
            self._fail_all()
            raise
        finally:
            self._flusher = None
            self._busy = False

    def _take(self) -> list[_Call]:
        return [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]

    async def _send(self, batch: list[_Call]) -> bool:
        """Send one batch; whatever must go again is back in the queue. False where it should wait."""
        if not batch:
            return True
        try:
            replies = await self._wire.round_trip([call.args for call in batch])
        except Exception as error:
            return await self._heed(batch, [], error)
        return await self._heed(batch, replies, None)

    async def _heed(self, batch: list[_Call], replies: Sequence[Any], error: Exception | None) -> bool:
        """Tell a batch's callers; what must go again is back in the queue. False where it should wait."""
        if error is not None:
            if not is_away(error):
                for call in batch:
                    _fail(call, error)
                return True
            return self._again(batch, error)
        unknown = [c for c, r in zip(batch, replies, strict=True) if isinstance(r, NoScriptError)]
        waiting = self._deliver(batch, replies)
        if unknown:
            return await self._load(unknown) and not waiting
        self.trouble = self.trouble if waiting else None
        return not waiting

    def _deliver(self, batch: list[_Call], replies: Sequence[Any]) -> bool:
        """Hand out the replies; True where some calls must wait and go again."""
        again: list[_Call] = []
        last: BaseException | None = None
        for call, reply in zip(batch, replies, strict=True):
            if isinstance(reply, NoScriptError):
                continue
            if not isinstance(reply, BaseException):
                if not call.future.done():
                    call.future.set_result(reply)
            elif is_away(reply) or (self._insist and refuses_writes(reply)):
                again.append(call)
                last = reply
            else:
                _fail(call, reply)
        if last is not None:
            self._again(again, last)
        return last is not None

    async def _load(self, calls: list[_Call]) -> bool:
        """Give the server the scripts that it does not have, and put the calls back."""
        try:
            sources = {call.script.source for call in calls if call.script}
            for reply in await self._wire.round_trip([("SCRIPT", "LOAD", one) for one in sources]):
                if isinstance(reply, BaseException):  # else they would go round in a circle
                    raise reply
        except Exception as error:
            if not (is_away(error) or (self._insist and refuses_writes(error))):
                for call in calls:
                    _fail(call, error)
                return True
            return self._again(calls, error)
        self._queue.extendleft(reversed(calls))
        return True

    def _again(self, calls: list[_Call], error: BaseException) -> bool:
        if self.trouble is None:
            log.warning("Redis takes no commands (%s: %s); trying again", type(error).__name__, error)
        self.trouble = trouble_of(error)
        self._is_full = out_of_memory(error)
        self._queue.extendleft(reversed(calls))
        for call in [self._queue.popleft() for _ in range(len(self._queue))]:
            if not call.future.done():  # else nobody waits any more: a long time away must not fill memory
                self._queue.append(call)
        return False

    def _fail_all(self) -> None:
        for call in (*self._sending, *self._queue):
            _fail(call, TierUnavailable("the connection to the tier was closed"))
        self._queue.clear()


def _fail(call: _Call, error: BaseException) -> None:
    if call.future.done():
        return
    if refuses_writes(error):
        full = "out of memory, " if out_of_memory(error) else ""
        error = TierUnavailable(f"Redis refuses writes: {full}{error}")
    call.future.set_exception(error)
