"""Edits in a race with answers and other edits: one state each, and nothing runs that nobody approved."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from audit_model import AuditModel
from guardtier import ActionEvent, GuardClient, SecurityRisk, Verdict
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.approver import ApproverClient
from guardtier.errors import GuardtierError, GuardTimeout
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from tier import StartTier, Tier, audit_lines, high, only
from waiting import until

KEYS = Keys(0)
ACTIONS = 24
APPROVERS = 6


class ByNumber(SecurityAnalyzer):
    """Every third command is riskier than the others."""

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        number = str(action.arguments["command"]).rpartition(" ")[2]
        return SecurityRisk.UNKNOWN if int(number) % 3 == 1 else SecurityRisk.HIGH


@pytest.mark.parametrize("seed", [1, 2])
async def test_whoever_edits_and_answers_an_action_ends_once(start_tier: StartTier, seed: int) -> None:
    tier = await start_tier(analyzers=0, policies=2)
    for _ in range(2):
        await tier.analyzer(analyzers=only(ByNumber()))
    guard = tier.client(accept_edits=True)
    actions = [high("do 0").placed_in(0) for _ in range(ACTIONS)]
    waiting = [asyncio.create_task(ran(guard, action)) for action in actions]
    await until(lambda: all_parked(tier))
    for action in actions:
        await tier.redis.hset(KEYS.action(action.id), "terms", Terms(approve=2).to_json())

    people = [tier.approver(f"p{number}") for number in range(APPROVERS)]
    doing = [at_random(person, actions, random.Random(f"{seed} {n}")) for n, person in enumerate(people)]
    await asyncio.gather(*doing, sent_twice(tier, random.Random(seed)))
    for action in actions:  # whatever is left
        for person in people[:2]:
            await quietly(person.approve(action.id))
    came = await asyncio.gather(*waiting)
    await tier.idle()

    told = AuditModel().replay(await audit_lines(tier.redis, KEYS))
    for action, verdict in zip(actions, came, strict=True):
        record, story = await tier.record(action.id), told.stories[action.id]
        assert (story.state, story.digest) == (record.state.value, record.digest)
        assert record.edit == b""
        assert verdict.digest == record.digest
        if verdict.allowed:
            assert verdict.apply(action).digest == record.digest
            assert len(verdict.decided_by) == 2
            assert set(verdict.decided_by) == set(story.decided_by)
    assert any(verdict.is_edited for verdict in came)


async def ran(guard: GuardClient, action: ActionEvent) -> Verdict:
    return await guard.check(action, timeout=90)


async def all_parked(tier: Tier) -> bool:
    return bool(await tier.redis.zcard(KEYS.parked) == ACTIONS)


async def at_random(person: ApproverClient, actions: list[ActionEvent], dice: random.Random) -> None:
    for action in dice.sample(actions, ACTIONS):
        match dice.randrange(5):
            case 0 | 1:
                edited: dict[str, Any] = {"command": f"do {dice.randrange(5)}"}
                await quietly(person.edit(action.id, edited, timeout=90))
            case 2 | 3:
                await quietly(person.approve(action.id))
            case _:
                await quietly(person.reject(action.id, reason="no"))


async def sent_twice(tier: Tier, dice: random.Random) -> None:
    """Somebody who can write to the answers stream sends what stands there once more."""
    await tier.keep_entries(KEYS.answers)
    for _ in range(60):
        entries = await tier.redis.xrange(KEYS.answers)
        if entries:
            await tier.redis.xadd(KEYS.answers, dice.choice(entries)[1])
        await asyncio.sleep(0)


async def quietly(said: Any) -> None:
    """Most of what is said in a race comes too late. What nobody answers is no such thing."""
    try:
        await said
    except GuardTimeout:
        raise
    except GuardtierError:
        pass
