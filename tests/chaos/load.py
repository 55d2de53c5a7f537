"""Load: agents that ask in a loop and people who answer, as real clients would, each call noted.

An agent that gets no answer in time asks again for the same action, as after a restart; any other error
ends the action, and its tool does not run. What becomes of an action is in its conversation's name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count, cycle
from time import monotonic
from typing import Any, Self

from chaos.credentials import FLEETS, as_role
from chaos.history import Call, History
from chaos.people import AT_CONSOLE, ConsolePerson, Person
from guardtier import ActionEvent, GuardClient, SecurityRisk, Verdict
from guardtier.errors import GuardtierError, GuardTimeout, Halted, TierUnavailable
from guardtier.state import State
from guardtier.store.keys import partition_for
from waiting import until

FLEET = FLEETS[0]  #: whose agents ask, where a scenario names no others
AGAIN_SECONDS = 0.2  #: before an agent asks again
TRIES = 40  #: of one action; then the agent gives it up. While it is halted an agent does not
LATER = (GuardTimeout, TierUnavailable, Halted)  #: raised where the same may be asked again
POLL_SECONDS = 0.1  #: between the looks of one who submitted and went away


@dataclass(frozen=True, slots=True)
class Kind:
    """What is asked: how often among ``CYCLE`` actions, and what people do about it (people.py)."""

    name: str
    each: int
    risk: SecurityRisk = SecurityRisk.HIGH
    op: str = "check"


CYCLE = 100
#: ``nobody`` expires, ``waits`` is given more time once, ``two`` needs two approvals, ``edit`` runs with
#: other arguments, ``later`` is submitted, polled and redeemed; the rest is released.
KINDS = (
    Kind("approve", 4),
    Kind("reject", 2),
    Kind("nobody", 1),
    Kind("waits", 1),
    Kind("two", 1),
    Kind("edit", 2),
    Kind("later", 2, op="submit"),
    Kind("low", 87, SecurityRisk.LOW),
)
#: The terms that they wait under.
POLICY = """version = 1
[[rule]]
name = "nobody"
outcome = "park"
conversation = "nobody"
terms = { time_limit = "2s" }
[[rule]]
name = "waits"
outcome = "park"
conversation = "waits"
terms = { time_limit = "2s", on_timeout = "wait" }
[[rule]]
name = "two"
outcome = "park"
conversation = "two"
terms = { approve = 2 }
"""


def _in_turn() -> list[Kind]:
    """A cycle in which those that park lie far apart."""
    turns = [[(at + 0.5) / kind.each, n, kind] for n, kind in enumerate(KINDS) for at in range(kind.each)]
    return [kind for _, _, kind in sorted(turns, key=lambda turn: turn[:2])]


TURNS = _in_turn()


class Load:
    """``async with Load(url, approvers={"alice": token, …}) as load: … await load.done(actions=2000)``.

    ``rate``: actions a second, of all agents together; 0: as many as they can. ``patience``: seconds for
    which one call waits. ``clients``: connections that the agents share; those of every partition are
    among them; the agents of each of the ``fleets`` have their share of them. ``console``: its URL, by
    which one of the approvers answers. ``before``: the load that this one follows, in one history.
    ``**options`` are those of GuardClient.
    """

    def __init__(
        self,
        url: str,
        *,
        approvers: Mapping[str, str],
        agents: int = 32,
        clients: int = 4,
        fleets: Sequence[str] = (FLEET,),
        partitions: int = 1,
        rate: float = 250.0,
        patience: float = 20.0,
        approvers_url: str | None = None,
        console: str | None = None,
        before: Load | None = None,
        **options: Any,
    ) -> None:
        self.history = before.history if before else History()
        self.ended = 0  #: actions that their agents are done with
        self._patience, self._rate = patience, rate
        self._agents = agents
        self._numbers = before._numbers if before else count()
        self._due = monotonic()
        self._ending = False
        self._parts = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._people: list[asyncio.Task[None]] = []
        self._clients = [
            GuardClient(
                as_role(url, f"agent-{fleet}"),
                fleet=fleet,
                client_id=name,
                partitions=partitions,
                accept_edits=True,
                **options,
            )
            for name, fleet in zip(client_names(clients, partitions), cycle(fleets), strict=False)
        ]
        people = as_role(approvers_url or url, "approver")
        given = [(people, *who, partitions, self.history) for who in approvers.items()]
        self._persons = [
            ConsolePerson(console, *one) if console and one[1] == AT_CONSOLE else Person(*one)
            for one in given
        ]
        self.started_at = self.stopped_at = monotonic()

    async def __aenter__(self) -> Self:
        for part in (*self._clients, *self._persons):
            self._parts.push_async_callback(part.aclose)
        self.started_at = self._due = monotonic()
        self._people = [asyncio.create_task(person.answer()) for person in self._persons]
        self._tasks = [
            asyncio.create_task(self._live(f"agent-{number}", self._clients[number % len(self._clients)]))
            for number in range(self._agents)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.drain()
        finally:
            for task in (*self._tasks, *self._people):
                task.cancel()
            await asyncio.gather(*self._tasks, *self._people, return_exceptions=True)
            await self._parts.aclose()

    async def done(self, *, actions: int, within: float = 120.0) -> None:
        """Wait until so many actions have ended, since the load began. Raises AssertionError where there
        is no progress for ``within`` seconds, and what an agent or a person broke with.
        """
        while self.ended < actions:
            before = self.ended
            await until(lambda before=before: self.ended > before or self._broken(), within)
            self._raise_what_broke()

    async def more(self, actions: int, *, within: float = 120.0) -> None:
        """Wait until so many actions more have ended than by now."""
        await self.done(actions=self.ended + actions, within=within)

    async def drain(self, within: float = 90.0) -> None:
        """Ask nothing new, and wait until what was asked has an end. What has none then is *lost*."""
        if not self._ending:
            self._ending, self.stopped_at = True, monotonic()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        self._raise_what_broke()

    @property
    def errors(self) -> list[Call]:
        """The calls of agents that raised."""
        return self.history.errors

    @property
    def longest_stall(self) -> float:
        """The longest time (s) in which no agent was told any verdict."""
        end = monotonic() if not self._ending else self.stopped_at
        return self.history.longest_stall(self.started_at, end)

    def _broken(self) -> bool:
        return any(task.done() and not self._ending for task in (*self._tasks, *self._people))

    def _raise_what_broke(self) -> None:
        for task in (*self._tasks, *self._people):
            if task.done() and not task.cancelled():
                task.result()

    # -- one agent ---------------------------------------------------------------------------

    async def _live(self, name: str, guard: GuardClient) -> None:
        while not self._ending:
            await self._pace()
            if self._ending:
                return
            kind, action = self._next(name, guard)
            await (self._check(guard, kind, action) if kind.op == "check" else self._later(guard, action))
            self.ended += 1

    async def _pace(self) -> None:
        """Wait for this agent's turn. After a stall nobody catches up: agents are slow, not many."""
        if not self._rate:
            return
        now = monotonic()
        self._due = max(self._due + 1 / self._rate, now)
        await asyncio.sleep(self._due - now)

    def _next(self, agent: str, guard: GuardClient) -> tuple[Kind, ActionEvent]:
        number = next(self._numbers)
        kind = TURNS[number % CYCLE]
        action = ActionEvent(
            id=f"n{number}",
            fleet=guard.fleet,
            agent=agent,
            conversation=kind.name,
            tool_name="terminal",
            arguments={"command": f"echo {number}" if kind.name == "low" else f"rm -rf ~/.ssh # {number}"},
            security_risk=kind.risk,
        )
        return kind, action.placed_in(guard.partition_for(guard.client_id))

    async def _check(self, guard: GuardClient, kind: Kind, action: ActionEvent) -> None:
        failed = 0
        while failed < TRIES:
            call = self._begin("check", kind.name, action)
            try:
                verdict = call.told(await guard.check(action, timeout=self._patience))
            except LATER as later:
                call.failed(later)
                failed += not isinstance(later, Halted)
                await asyncio.sleep(AGAIN_SECONDS)
            except GuardtierError as refused:
                call.failed(refused)
                return
            else:
                _run(call, verdict, action)
                return

    async def _later(self, guard: GuardClient, action: ActionEvent) -> None:
        """Submit, go away, come back and ask until there is a verdict; redeem an approval."""
        op, failed = "submit", 0
        while failed < TRIES:
            call = self._begin(op, "later", action)
            try:
                if op == "redeem":
                    _run(call, call.told(await guard.redeem(action, timeout=self._patience)), action)
                    return
                asked = guard.submit if op == "submit" else guard.poll
                status = await asked(action, timeout=self._patience)
                call.told(status.verdict, status.state.value)
            except LATER as later:
                call.failed(later)
                failed += not isinstance(later, Halted)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except GuardtierError as refused:
                call.failed(refused)
                return
            if status.state in (State.REJECTED, State.EXPIRED, State.RELEASED):
                _run(call, status.verdict, action)
                return
            op = "redeem" if status.state is State.APPROVED else "poll"
            if op == "poll":
                await asyncio.sleep(POLL_SECONDS)

    def _begin(self, op: str, kind: str, action: ActionEvent) -> Call:
        return self.history.begin(op, action.agent, action.id, action.digest, kind=kind)


def _run(call: Call, verdict: Verdict | None, action: ActionEvent) -> None:
    """The tool runs where the verdict allows it, with an approver's arguments where they are others."""
    if verdict is not None and verdict.allowed:
        verdict.apply(action)
        call.ran = True


def client_names(clients: int, partitions: int) -> list[str]:
    """Names of so many clients at least, which live in every partition."""
    names: list[str] = []
    for number in count():
        name = f"load-{number}"
        missing = set(range(partitions)) - {partition_for(one, partitions) for one in names}
        if not missing and len(names) >= clients:
            return names
        if len(names) < clients - len(missing) or partition_for(name, partitions) in missing:
            names.append(name)
    raise AssertionError("numbers end")
