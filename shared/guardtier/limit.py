"""Limit: how long an agent's call may take, and what its end means.

The calls of a client share one timer. With one each, to set it and to take it back again was a fifth of
what a call costs its agent (19 µs by uvloop).
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from guardtier.errors import GuardTimeout, TierUnavailable

TICK_SECONDS = 0.001  #: of uvloop's clock: a timer may fire so much early


class Limited(Protocol):
    """A client, as far as its trouble goes, and what it has under way."""

    limits: Limits

    @property
    def trouble(self) -> str | None: ...


class Limits:
    """When the calls under way are to end, by one timer: that of the first of them."""

    def __init__(self) -> None:
        self._ends: dict[asyncio.Timeout, float] = {}
        self.parked: set[str] = set()  #: what waits for a person, of the calls that end at this moment
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.Handle | None = None
        self._at = 0.0  #: when it fires

    def close(self) -> None:
        """Nothing is left to the loop, unless a call is still under way."""
        if not self._ends:
            self._stop()

    def begin(self, call: asyncio.Timeout, seconds: float) -> None:
        """It was entered without an end; it is to end in so many seconds."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the timer of another one may never fire
            self._stop()
            self._loop = loop
        at = self._ends[call] = loop.time() + seconds
        if self._timer is None or at < self._at:
            self._set(loop, at)

    def end(self, call: asyncio.Timeout) -> None:
        self._ends.pop(call, None)

    def _set(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        self._stop()
        self._timer, self._at = loop.call_at(at, self._look, loop), at

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for call in [call for call, at in self._ends.items() if at <= now + TICK_SECONDS]:
            del self._ends[call]
            call.reschedule(now)  # which ends it at the loop's next turn
        if self._ends:
            self._set(loop, min(self._ends.values()))


class Limit:
    """A time limit whose end is a GuardTimeout, or a TierUnavailable where Redis is away."""

    __slots__ = ("_action_id", "_client", "_seconds", "_timeout")

    def __init__(self, client: Limited, action_id: str, seconds: float | None) -> None:
        self._client, self._action_id, self._seconds = client, action_id, seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        if self._seconds is not None:
            self._client.limits.begin(self._timeout, self._seconds)

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._client.limits.end(self._timeout)
        is_parked = error is not None and self._is_parked()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            what = f"no answer about {self._action_id} within {self._seconds:g} s"
            if self._client.trouble is not None:
                raise TierUnavailable(f"{what}: {self._client.trouble}") from late
            if is_parked:
                raise GuardTimeout(
                    f"nobody has answered {self._action_id} within {self._seconds:g} s, and it goes on "
                    "waiting for a person: the tool must not run; asked for again, the same action has the "
                    "answer",
                    field="parked",
                ) from late
            raise GuardTimeout(f"{what}: the tool must not run") from late

    def _is_parked(self) -> bool:
        """Whether its end leaves an action that waits for a person."""
        parked = self._client.limits.parked
        found = self._action_id in parked
        parked.discard(self._action_id)
        return found
