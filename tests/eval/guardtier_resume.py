"""guardtier, asked what langgraph_resume.py and agents_resume.py are: what lies between a yes and its tool.

The tier is a real one: Redis with ``appendfsync always``, an analyzer and a policy worker, as processes.
Every action is parked, alice answers, and an agent that died is another client that comes later.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench import idle
from bench.environment import ROOT

from guardtier import ActionEvent, ApproverClient, GuardClient
from guardtier.errors import GuardtierError
from guardtier_workers import approvers
from guardtier_workers.embedded import EmbeddedRedis

FLEET = "default"
RACES = 20


class Tier(NamedTuple):
    """Where a tier is, and what alice proves herself with."""

    url: str
    token: str


async def answers(tier: Tier) -> dict[str, str]:
    return {
        "dies before the tool, the yes is stored": await _dies(tier, redeemed=False),
        "dies after the tool, the yes is stored": await _dies(tier, redeemed=True),
        "two approvals, one after the other": await _approved_twice(tier),
        "two approvals, each from the stored state": await _redeemed_at_once(tier),
        "two approvals at once": await _approved_at_once(tier),
        "arguments changed in between, a yes by id": await _changed(tier),
        "the guard's own function raises": await _tier_gone(tier),
    }


@asynccontextmanager
async def _asked(tier: Tier) -> AsyncIterator[tuple[GuardClient, ApproverClient, ActionEvent]]:
    """An agent whose action waits, and alice."""
    async with (
        GuardClient(tier.url, fleet=FLEET) as agent,
        ApproverClient(tier.url, approver="alice", token=tier.token) as alice,
    ):
        action = _action("ls", agent)
        await agent.submit(action)
        yield agent, alice, action


def _action(command: str, agent: GuardClient, **fields: str) -> ActionEvent:
    event = ActionEvent(
        fleet=FLEET, agent="agent", tool_name="terminal", arguments={"command": command}, **fields
    )
    return event if fields else event.placed_in(agent.partition_for(event.id))


async def _run(tier: Tier, action: ActionEvent) -> str:
    """What an agent that was started anew does: uses the approval that it finds, and runs its tool."""
    async with GuardClient(tier.url, fleet=FLEET) as agent:
        try:
            verdict = await agent.redeem(action)
        except GuardtierError as error:
            return type(error).__name__
        return "ran" if verdict.allowed else verdict.outcome


async def _dies(tier: Tier, *, redeemed: bool) -> str:
    """The agent dies after the yes; ``redeemed``: after it has used it, and run its tool."""
    async with _asked(tier) as (_, alice, action):
        await alice.approve(action.id)
    first = await _run(tier, action) if redeemed else "died"
    return _told([first, await _run(tier, action)])


async def _approved_twice(tier: Tier) -> str:
    async with _asked(tier) as (_, alice, action):
        said = []
        for _ in "ab":
            try:
                said.append(await alice.approve(action.id))
            except GuardtierError as error:
                said.append(error)
    ran = [await _run(tier, action), await _run(tier, action)]
    return f"{_told(ran)}; alice's second: {_name(said[1])}"


async def _redeemed_at_once(tier: Tier) -> str:
    twice = 0
    for _ in range(RACES):
        async with _asked(tier) as (_, alice, action):
            await alice.approve(action.id)
        twice += (await asyncio.gather(_run(tier, action), _run(tier, action))).count("ran") == 2
    return f"the tool ran twice {twice} of {RACES} times"


async def _approved_at_once(tier: Tier) -> str:
    twice = 0
    for _ in range(RACES):
        async with _asked(tier) as (_, alice, action):
            both = (alice.approve(action.id), alice.approve(action.id))
            await asyncio.gather(*both, return_exceptions=True)
        twice += (await asyncio.gather(_run(tier, action), _run(tier, action))).count("ran") == 2
    return f"the tool ran twice {twice} of {RACES} times"


async def _changed(tier: Tier) -> str:
    async with _asked(tier) as (agent, alice, action):
        await alice.approve(action.id)
        changed = _action("rm -rf /", agent, id=action.id)
    said = await _run(tier, changed)
    return "ran `rm -rf /`, asked about was `ls`" if said == "ran" else f"refused: {said}"


async def _tier_gone(tier: Tier) -> str:
    """No Redis at all; an analyzer that raises is parked, see tests/integration."""
    async with GuardClient("redis://127.0.0.1:1/0", fleet=FLEET) as agent:
        try:
            await agent.check(_action("ls", agent), timeout=1)
        except GuardtierError as error:
            return f"no Redis: {type(error).__name__}, the tool ran 0 times"
    return "the tool ran"


def _told(said: list[str]) -> str:
    others = ", ".join(one for one in said if one not in {"ran", "died"})
    return f"the tool ran {said.count('ran')} times" + (f" ({others})" if others else "")


def _name(said: object) -> str:
    return type(said).__name__ if isinstance(said, Exception) else "the verdict that stands"


def _ms_to_tool(server: EmbeddedRedis) -> float:
    """From the approver's answer to an agent in another process that may run its tool."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.guardtier_answers", "--redis-url", server.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(json.loads(done.stdout)["used_p50_ms"])


def main() -> None:
    with EmbeddedRedis(appendfsync="always") as server:
        took = {"stored": _ms_to_tool(server)}
    with EmbeddedRedis(appendfsync="always") as server, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "approvers.toml"
        tier = Tier(server.url, approvers.add(file, "alice"))
        settings = {"policy": '{"kind": "always_confirm"}', "approvers_file": str(file)}
        with idle.workers(server.url, "analyzer", "policy", **settings):
            found = asyncio.run(answers(tier))
    print(json.dumps({"ms": took, "answers": found}))


if __name__ == "__main__":
    main()
