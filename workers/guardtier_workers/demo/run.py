"""The demo: four agents of two fleets ask before each tool call; two approvers answer what is parked.

The calls are in ``actions.jsonl``. No tool is run: what you see is what the tier says of each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter

from guardtier.action import ActionEvent
from guardtier.approver import ApproverClient
from guardtier.client import GuardClient
from guardtier.settings import Settings
from guardtier_workers.cli.state import Operator, Running
from guardtier_workers.demo.approvers import Approvers
from guardtier_workers.demo.script import calls
from guardtier_workers.demo.stage import Stage

POLICY = Path(__file__).with_name("policy.toml")
SECOND = "second"  #: the approver beside the operator
#: What the demo's fleets have of their own: more time than the approvers need. ``POLICY`` has less for what
#: is left to expire.
FLEETS = {"web": {"park_seconds": 60.0}, "data": {"park_seconds": 60.0}}


async def run_demo(settings: Settings, running: Running, second: Operator, *, as_json: bool) -> None:
    """Send every call and show each verdict; returns when the last one is there.

    ``second`` is the approver beside the tier's operator.
    """
    script = [(call, call.to_action()) for call in calls()]
    reactions = {action.id: call.answer for call, action in script}
    by_agent: dict[tuple[str, str], list[ActionEvent]] = {}
    for _, action in script:
        by_agent.setdefault((action.fleet, action.agent), []).append(action)

    async with AsyncExitStack() as parts:
        stage = parts.enter_context(Stage(as_json=as_json))
        people = [
            await parts.enter_async_context(_client(running, name, token))
            for name, token in ((running.approver, running.token), (second.approver, second.token))
        ]
        await parts.enter_async_context(_answering(Approvers(people, reactions, stage)))
        guards = {
            fleet: await parts.enter_async_context(
                GuardClient(
                    settings.redis_url,
                    fleet=fleet,
                    partitions=settings.partitions,
                    accept_edits=True,
                    verdict_keys=running.verdict_keys,
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


def _client(running: Running, approver: str | None, token: str | None) -> ApproverClient:
    return ApproverClient(running.redis_url, approver=approver, token=token, partitions=running.partitions)


@asynccontextmanager
async def _answering(approvers: Approvers) -> AsyncIterator[None]:
    """The scripted approvers, at work within the block."""
    watching = asyncio.create_task(approvers.answer_all())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
