"""Steady load: a mix of everything that agents and people do, at one rate; clients come and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import Any, Self

from guardtier import ActionEvent, ApproverClient, GuardClient
from guardtier.errors import GuardtierError, UnknownAction, WrongState
from guardtier.store.records import Record
from guardtier.verdict import Outcome

FLEET, BRIEF = "web", "brief"  #: the second one's parked actions wait for 2 s, and nobody answers them
CLIENT_SECONDS = 5.0  #: then an agent process ends, and another one begins
CLIENTS = 4
A_CONVERSATION = 20  #: actions
LOOK_SECONDS = 0.2
KINDS_OF_LOW = 1000  #: harmless commands: what is remembered of them is full before the warm-up ends
#: What is done in turn: so many of each of 20.
MIX = ("run",) * 10 + ("ask",) * 3 + ("approve",) * 2 + ("reject", "edit", "expire", "list", "poll")


class Steady:
    """``async with Steady(url, "alice", token, rate=40) as load: …``. ``done`` counts what came of it."""

    def __init__(self, url: str, approver: str, token: str, *, rate: float) -> None:
        self._url, self._rate = url, rate
        self._person = ApproverClient(url, approver=approver, token=token)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._clients: list[GuardClient] = []
        self._numbers = count()
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.slowest = 0.0  #: seconds that an action which nobody had to answer took

    async def __aenter__(self) -> Self:
        self._clients = [self._client() for _ in range(CLIENTS)]
        loops = (self._begin, self._replace_clients, self._answer)
        self._loops = [asyncio.create_task(loop()) for loop in loops]
        return self

    async def __aexit__(self, *_: object) -> None:
        *others, answering = self._loops
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # What was begun comes to its end, and for that somebody has to answer it.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        for client in self._clients:
            await client.aclose()
        await self._person.aclose()

    @property
    def in_work(self) -> int:
        return len(self._tasks)

    def check(self) -> None:
        """Raise what ended one of its loops."""
        for task in self._loops:
            if task.done():
                task.result()

    async def _begin(self) -> None:
        """One after the other at the rate, whatever becomes of them."""
        begins = monotonic()
        for number in count():
            kind = MIX[number % len(MIX)]
            task = asyncio.create_task(self._do(kind))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(max(0.0, begins + number / self._rate - monotonic()))

    async def _do(self, kind: str) -> None:
        client = self._clients[next(self._numbers) % CLIENTS]
        acts: dict[str, Callable[[GuardClient], Coroutine[Any, Any, None]]] = {
            "run": self._run, "ask": self._ask, "approve": self._approve, "reject": self._reject,
            "edit": self._edit, "expire": self._expire, "list": self._list, "poll": self._poll,
        }  # fmt: skip
        try:
            await acts[kind](client)
            self.done[kind] += 1
        except (GuardtierError, AssertionError) as error:
            self.errors[f"{kind}: {type(error).__name__}: {str(error)[:100]}"] += 1

    async def _run(self, client: GuardClient) -> None:
        """A harmless command of a conversation, and what came of it."""
        number = next(self._numbers)
        action = _low(number, conversation=f"c-{number // A_CONVERSATION}")
        await self._ask(client, action)
        await client.observe(action, f"file-{number}\n" * 20)

    async def _ask(self, client: GuardClient, action: ActionEvent | None = None) -> None:
        began = monotonic()
        verdict = await client.check(action or _low(next(self._numbers)), timeout=60)
        self.slowest = max(self.slowest, monotonic() - began)
        assert verdict.outcome is Outcome.RELEASED, verdict

    async def _approve(self, client: GuardClient) -> None:
        assert (await client.check(_high(next(self._numbers), "approve"), timeout=60)).allowed

    async def _reject(self, client: GuardClient) -> None:
        verdict = await client.check(_high(next(self._numbers), "reject"), timeout=60)
        assert verdict.outcome is Outcome.REJECTED, verdict

    async def _edit(self, client: GuardClient) -> None:
        verdict = await client.check(_high(next(self._numbers), "edit"), timeout=60)
        assert verdict.allowed, verdict
        assert verdict.is_edited

    async def _expire(self, _client: GuardClient) -> None:
        async with GuardClient(self._url, fleet=BRIEF) as brief:
            verdict = await brief.check(_high(next(self._numbers), "nobody", fleet=BRIEF), timeout=60)
        assert verdict.outcome is Outcome.EXPIRED, verdict

    async def _list(self, client: GuardClient) -> None:
        await client.pending("approve")

    async def _poll(self, client: GuardClient) -> None:
        action = _low(next(self._numbers))
        await client.submit(action)
        assert (await client.poll(action)).verdict is not None

    async def _answer(self) -> None:
        """A person who looks again and again, and answers what is there."""
        while True:
            with suppress(GuardtierError):
                async for record in self._person.parked(fleet=FLEET):
                    with suppress(WrongState, UnknownAction):  # its deadline has passed
                        await self._say(record)
            await asyncio.sleep(LOOK_SECONDS)

    async def _say(self, record: Record) -> None:
        if record.agent == "reject":
            await self._person.reject(record.id, digest=record.digest, reason="no")
        elif record.agent == "edit":
            await self._person.edit(record.id, {"command": "ls"}, digest=record.digest)
        else:
            await self._person.approve(record.id, digest=record.digest)

    async def _replace_clients(self) -> None:
        for number in count():
            await asyncio.sleep(CLIENT_SECONDS)
            old, self._clients[number % CLIENTS] = self._clients[number % CLIENTS], self._client()
            task = asyncio.create_task(_close_later(old))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _client(self) -> GuardClient:
        return GuardClient(self._url, fleet=FLEET, accept_edits=True)


async def _close_later(client: GuardClient) -> None:
    """Once what it has been asked for has come to its end."""
    await asyncio.sleep(60)
    await client.aclose()


def _low(number: int, **more: Any) -> ActionEvent:
    return _action(f"ls -la src/part-{number % KINDS_OF_LOW}", f"agent-{number % 50}", **more)


def _high(number: int, agent: str, **more: Any) -> ActionEvent:
    return _action(f"rm -rf ~/.ssh/old-{number} /etc/nginx", agent, **more)


def _action(command: str, agent: str, *, fleet: str = FLEET, **more: Any) -> ActionEvent:
    given = {"tool_name": "terminal", "arguments": {"command": command}, "summary": command}
    return ActionEvent(fleet=fleet, agent=agent, **given, **more)
