"""Limit: how long an agent's call may take, and what its end means."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from guardtier.errors import GuardTimeout, TierUnavailable


class Reachable(Protocol):
    """A client, as far as its trouble goes."""

    @property
    def trouble(self) -> str | None: ...


class Limit:
    """A time limit whose end is a GuardTimeout, or a TierUnavailable where Redis is away."""

    def __init__(self, client: Reachable, action_id: str, seconds: float | None) -> None:
        self._client, self._action_id, self._seconds = client, action_id, seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            what = f"no answer about {self._action_id} within {self._seconds:g} s"
            if self._client.trouble is not None:
                raise TierUnavailable(f"{what}: {self._client.trouble}") from late
            raise GuardTimeout(f"{what}: the tool must not run") from late
