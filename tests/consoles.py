"""A console that a test talks to over HTTP: programs with a token, browsers with a session."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from itertools import count
from time import monotonic
from typing import Any

import httpx
import pytest

from guardtier.settings import Settings
from guardtier_workers.approvers import Right
from guardtier_workers.console.access.refused import Refused
from guardtier_workers.console.access.sessions import Sessions
from guardtier_workers.console.access.tries import Tries
from guardtier_workers.console.serve import served
from tier import Tier


class Desk:
    """A console that runs. Each program or browser is a client of its own, closed at the end."""

    def __init__(self, tier: Tier, url: str, parts: AsyncExitStack) -> None:
        self.tier, self.url, self._parts = tier, url, parts

    async def nobody(self, **options: Any) -> httpx.AsyncClient:
        """Somebody who has not signed in."""
        options = {"verify": authorities()} | options
        made = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=90, **options)
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


@cache
def authorities() -> ssl.SSLContext:
    """What a client trusts unless told, read once: it takes 25 ms, and every test has clients."""
    return httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def console_beside(tier: Tier, **own: Any) -> AsyncIterator[Desk]:
    """A console on a free port of loopback. ``own``: its settings."""
    given = tier.settings.model_dump(exclude={"console"}) | {"console": {"port": 0, **own}}
    settings = Settings.model_validate(given)
    async with AsyncExitStack() as parts:
        url, _ = await parts.enter_async_context(served(settings))
        yield Desk(tier, url, parts)


def time_stands_still_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a machine takes, no try is forgiven meanwhile, and the log's minute does not end."""
    now = monotonic()
    for one in (Tries, Refused):
        monkeypatch.setattr(one.__init__, "__defaults__", (lambda: now,))


def time_passes_as_sessions_are_looked_at(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.05) -> None:
    """By so much at each look, not while a slow machine is busy: nobody is out who has just signed in."""
    start, looks = monotonic(), count()
    monkeypatch.setitem(Sessions.__init__.__kwdefaults__, "clock", lambda: start + seconds * next(looks))


#: The fixture ``start_console``: ``await start_console(tier, idle_seconds=1)``.
StartConsole = Callable[..., Awaitable[Desk]]
