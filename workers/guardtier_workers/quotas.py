"""Quotas: an agent's request is admitted, or refused unrated, as its fleet's settings say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from guardtier.errors import QuotaExceeded
from guardtier.quota import Quota
from guardtier.settings import Settings
from guardtier.store.connection import connect
from guardtier.store.pipe import CommandPipe
from guardtier.store.spending import Waits, spend

STRAYS = "*"  #: the fleets that don't exist, in place of a fleet's name: they share one quota
MOST = 500  #: requests of one script call: about 1 ms of Redis

_Bucket = tuple[str, bool]  #: a fleet, and whether it is for what asks after earlier actions
_Asked = tuple[str | None, "asyncio.Future[Waits]"]


class Quotas:
    """Draws on quotas, for all requests of a fleet that came in one read by one call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = connect(settings.redis_url)
        self.pipe = CommandPipe(self._redis, insist=True)
        self._known: dict[_Bucket, tuple[Quota | None, Quota | None]] = {}
        self._asked: dict[_Bucket, list[_Asked]] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def admit(self, fleet: str, agent: str | None, *, polls: bool = False) -> None:
        """Draw a token. ``agent`` is None where it is the fleet's alone. Raises QuotaExceeded.

        What asks after earlier actions (``polls``) has buckets of its own, ten times as large: an agent
        that has spent its quota may still look, and none can look in a tight loop.
        """
        bucket = fleet, polls
        quota, own = self._known.get(bucket) or self._look_up(bucket)
        if quota is None and own is None:
            return
        waits = await self._drawn(bucket, agent)
        what = " for polls, lists and reports" if polls else ""
        if waits.agent > waits.fleet and own is not None:
            raise QuotaExceeded(
                f"this agent's quota{what} is spent ({own.words}): ask again after retry_after seconds",
                field="agent_quota",
                retry_after=waits.agent,
            )
        if waits.fleet and quota is not None:
            raise QuotaExceeded(
                f"the quota of fleet {fleet}{what} is spent ({quota.words}): "
                "ask again after retry_after seconds",
                field="quota",
                retry_after=waits.fleet,
            )

    async def close(self) -> None:
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self.pipe.close()
        await self._redis.aclose()

    def _look_up(self, bucket: _Bucket) -> tuple[Quota | None, Quota | None]:
        fleet, polls = bucket
        quota, own = self._settings.quotas_of(fleet)
        if polls:
            quota, own = quota and quota.of_polls, own and own.of_polls
        found = self._known[bucket] = quota, own  # the fleets are registered: few
        return found

    def _drawn(self, bucket: _Bucket, agent: str | None) -> asyncio.Future[Waits]:
        loop = asyncio.get_running_loop()
        drawn: asyncio.Future[Waits] = loop.create_future()
        asked = self._asked.get(bucket)
        if asked is None:
            asked = self._asked[bucket] = []
            loop.call_soon(self._call, bucket)  # behind the others that came by the same read
        asked.append((agent, drawn))
        return drawn

    def _call(self, bucket: _Bucket) -> None:
        asked = self._asked.pop(bucket)
        for start in range(0, len(asked), MOST):
            call = asyncio.create_task(self._spend(bucket, asked[start : start + MOST]))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _spend(self, bucket: _Bucket, asked: Sequence[_Asked]) -> None:
        (fleet, polls), (quota, own) = bucket, self._known[bucket]
        try:
            agents = [agent for agent, _ in asked]
            waits = await spend(self.pipe, fleet, agents, quota=quota, agent_quota=own, polls=polls)
        except asyncio.CancelledError:
            for _, drawn in asked:
                drawn.cancel()
            raise
        except Exception as error:  # each of them fails, and is delivered again
            for _, drawn in asked:
                if not drawn.done():
                    drawn.set_exception(error)
            return
        for (_, drawn), wait in zip(asked, waits, strict=True):
            if not drawn.done():
                drawn.set_result(wait)
