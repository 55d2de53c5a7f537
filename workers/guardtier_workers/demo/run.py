"""The demo: four agents of two fleets ask before each tool call; an approver answers what is parked.

The calls are in ``actions.jsonl``. No tool is run: what you see is what the tier says of each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from time import perf_counter
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from guardtier.action import ActionEvent
from guardtier.approver import ApproverClient
from guardtier.client import GuardClient
from guardtier.errors import WrongState
from guardtier.settings import Settings
from guardtier_workers.cli.state import Running
from guardtier_workers.demo.stage import Stage

#: What the demo's fleets have of their own: a deadline that one can wait for.
FLEETS = {"web": {"park_seconds": 4.0}, "data": {"park_seconds": 4.0}}
THINKING_SECONDS = 0.7  #: the scripted approver takes so long over an action


class Reaction(BaseModel):
    """What the scripted approver says of a call that is parked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["approve", "reject", "edit", "leave"]
    reason: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)


class Call(BaseModel):
    """One line of ``actions.jsonl``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fleet: str
    agent: str
    conversation: str
    tool_name: str
    arguments: dict[str, Any]
    summary: str = ""
    security_risk: str = "UNKNOWN"
    annotations: dict[str, Any] | None = None
    answer: Reaction = Field(default=Reaction(do="leave"))

    def to_action(self) -> ActionEvent:
        return ActionEvent.from_value(self.model_dump(exclude={"answer"}))


def calls() -> list[Call]:
    lines = (files(__package__) / "actions.jsonl").read_bytes().splitlines()
    return [Call.model_validate(orjson.loads(line)) for line in lines if line.strip()]


async def run_demo(settings: Settings, running: Running, *, as_json: bool) -> None:
    """Send every call and show each verdict; returns when the last one is there."""
    script = [(call, call.to_action()) for call in calls()]
    reactions = {action.id: call.answer for call, action in script}
    by_agent: dict[tuple[str, str], list[ActionEvent]] = {}
    for _, action in script:
        by_agent.setdefault((action.fleet, action.agent), []).append(action)

    async with AsyncExitStack() as parts:
        stage = parts.enter_context(Stage(as_json=as_json))
        await parts.enter_async_context(_approver(running, reactions, stage))
        guards = {
            fleet: await parts.enter_async_context(
                GuardClient(
                    settings.redis_url, fleet=fleet, partitions=settings.partitions, accept_edits=True
                )
            )
            for fleet in FLEETS
        }
        async with asyncio.TaskGroup() as agents:
            for (fleet, _), actions in by_agent.items():
                agents.create_task(_agent(guards[fleet], actions, stage))
    stage.sum_up()


async def _agent(guard: GuardClient, actions: list[ActionEvent], stage: Stage) -> None:
    """One agent: it asks before each call, and goes on with the next whatever it is told."""
    for action in actions:
        start = perf_counter()
        verdict = await guard.check(action)
        stage.show(action, verdict, (perf_counter() - start) * 1000)


@asynccontextmanager
async def _approver(running: Running, reactions: dict[str, Reaction], stage: Stage) -> AsyncIterator[None]:
    """The scripted approver, at work within the block."""
    async with ApproverClient(
        running.redis_url,
        approver=running.approver,
        token=running.token,
        partitions=running.partitions,
    ) as approver:
        watching = asyncio.create_task(_answer_all(approver, reactions, stage))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _answer_all(approver: ApproverClient, reactions: dict[str, Reaction], stage: Stage) -> None:
    answering: set[asyncio.Task[None]] = set()
    try:
        async for event in approver.watch():
            reaction = reactions.get(event.id.partition(".")[0])
            if event.event != "parked" or reaction is None:
                continue
            record = await approver.get(event.id)
            stage.park(record.action, record.deadline or 0)
            if reaction.do != "leave":
                task = asyncio.create_task(_answer(approver, event.id, record.digest, reaction))
                answering.add(task)
                task.add_done_callback(answering.discard)
    finally:
        for task in answering:
            task.cancel()


async def _answer(approver: ApproverClient, action_id: str, digest: str, reaction: Reaction) -> None:
    await asyncio.sleep(THINKING_SECONDS)
    try:
        if reaction.do == "edit":
            await approver.edit(action_id, reaction.arguments, digest=digest, reason=reaction.reason)
        elif reaction.do == "approve":
            await approver.approve(action_id, digest=digest, reason=reaction.reason)
        else:
            await approver.reject(action_id, digest=digest, reason=reaction.reason)
    except WrongState:
        pass  # its deadline came first
