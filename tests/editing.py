"""Edits: parked actions whose agents take them, who makes them, and what the audit stream tells of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from audit_model import AuditModel
from guardtier import ActionEvent, GuardClient, SecurityRisk, State
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.errors import UnknownAction
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier_workers import approvers
from tier import Gate, StartTier, Tier, audit_lines, high, only
from waiting import until

KEYS = Keys(0)
SAFE = {"command": "ls ~/.ssh"}


async def check_story(redis_url: str) -> None:
    """What the audit stream says comes to the state and the digest that each record has."""
    async with Redis.from_url(redis_url) as redis:
        told = AuditModel().replay(await audit_lines(redis, KEYS))
        for action_id, story in told.stories.items():
            state, digest = await redis.hmget(KEYS.action(action_id), "state", "digest")
            assert (story.state, story.digest) == (state.decode(), digest.decode())


class ByWord(SecurityAnalyzer):
    """HIGH for what deletes, LOW for what lists, UNKNOWN for the rest."""

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        command = str(action.arguments.get("command"))
        risks = {"rm": SecurityRisk.HIGH, "ls": SecurityRisk.LOW}
        return risks.get(command.partition(" ")[0], SecurityRisk.UNKNOWN)


class Parked:
    """An action that waits, and the agent that waits for it."""

    def __init__(self, guard: GuardClient, action: ActionEvent) -> None:
        self.guard, self.action = guard, action
        self.waiting = asyncio.create_task(guard.check(action, timeout=90))

    @property
    def id(self) -> str:
        return self.action.id


async def parked(tier: Tier, *, terms: Terms | None = None, accepts: bool = True, **fields: Any) -> Parked:
    guard = tier.client(accept_edits=accepts)
    action = high(**fields).placed_in(0)
    made = Parked(guard, action)
    await until(lambda: is_in(tier, action.id, State.PARKED))
    if terms is not None:
        await tier.redis.hset(KEYS.action(action.id), "terms", terms.to_json())
    return made


async def is_in(tier: Tier, action_id: str, state: State) -> bool:
    try:
        return (await tier.record(action_id)).state is state
    except UnknownAction:
        return False


def colleague(tier: Tier, name: str, *roles: str) -> Any:
    """Somebody who may answer, with these roles."""
    if name not in tier._tokens:
        tier._tokens[name] = approvers.add(tier._approvers_file, name, roles=roles)
    return tier.approver(name)


async def start_under(start_tier: StartTier, folder: Path, policy: str) -> Tier:
    """A tier that rates by the command's first word, under this policy file."""
    file = folder / "policy.toml"
    file.write_text(f"version = 1\n{policy}")
    tier = await start_tier(analyzers=0, policy_file=file)
    await tier.analyzer(analyzers=only(ByWord()))
    return tier


async def told(tier: Tier, client: str, entry: bytes) -> dict[bytes, bytes]:
    async def found() -> dict[bytes, bytes] | None:
        for _, fields in await tier.redis.xrange(KEYS.told(client)):
            if fields.get(b"entry") == entry:
                return dict(fields)
        return None

    reply: dict[bytes, bytes] = await until(found)
    return reply


async def start_gated(start_tier: StartTier, *, keep: bool = False) -> tuple[Tier, Parked, Gate, Any]:
    """A parked action whose edits nobody rates until the gate is opened. ``keep``: answers stay there."""
    tier = await start_tier()
    if keep:
        await tier.keep_entries(KEYS.answers)
    asked = await parked(tier)
    await tier.workers[0].stop()
    tier.workers.pop(0)
    gate = Gate()
    await tier.analyzer(analyzers=only(gate))
    editing = asyncio.create_task(tier.approver().edit(asked.id, SAFE))
    await until(lambda: gate.entered)
    return tier, asked, gate, editing
