"""A console that a test talks to over HTTP: programs with a token, browsers with a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from guardtier.settings import Settings
from guardtier_workers.approvers import Right
from guardtier_workers.console.serve import served
from tier import Tier


class Desk:
    """A console that runs. Each program or browser is a client of its own, closed at the end."""

    def __init__(self, tier: Tier, url: str, parts: AsyncExitStack) -> None:
        self.tier, self.url, self._parts = tier, url, parts

    async def nobody(self, **options: Any) -> httpx.AsyncClient:
        """Somebody who has not signed in."""
        made = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20, **options)
        return await self._parts.enter_async_context(made)

    async def program(
        self,
        name: str = "alice",
        fleets: list[str] | None = None,
        may: Iterable[Right] = (Right.ANSWER,),
        **who: Any,
    ) -> httpx.AsyncClient:
        """A program with an approver's token."""
        self.tier.approver(name, fleets, may, **who)
        return await self.nobody(auth=(name, self.tier.token_of(name)))

    async def browser(
        self,
        name: str = "alice",
        fleets: list[str] | None = None,
        may: Iterable[Right] = (Right.ANSWER,),
        **who: Any,
    ) -> httpx.AsyncClient:
        """An approver who has signed in; it sends what a browser sends, with the session's CSRF token."""
        self.tier.approver(name, fleets, may, **who)
        origin = self.url.rstrip("/")
        client = await self.nobody(headers={"origin": origin, "sec-fetch-site": "same-origin"})
        answer = await client.post("/login", data={"name": name, "token": self.tier.token_of(name)})
        assert answer.status_code == 303, answer.text
        client.headers["x-csrf-token"] = (await client.get("/api/v1/me")).json()["csrf"]
        return client


@asynccontextmanager
async def console_beside(tier: Tier, **own: Any) -> AsyncIterator[Desk]:
    """A console on a free port of loopback. ``own``: its settings."""
    given = tier.settings.model_dump(exclude={"console"}) | {"console": {"port": 0, **own}}
    settings = Settings.model_validate(given)
    async with AsyncExitStack() as parts:
        url, _ = await parts.enter_async_context(served(settings))
        yield Desk(tier, url, parts)


#: The fixture ``start_console``: ``await start_console(tier, idle_seconds=1)``.
StartConsole = Callable[..., Awaitable[Desk]]
