"""A rule that looks at the action itself sees what is released, whatever an analyzer says that it rated.

An analyzer worker's credential may write records, and hand over what it says was rated (docs/roles.md):
tool and fleet among it, by which rules are found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardtier import ActionEvent, Assessment, SecurityRisk, State
from guardtier.store.keys import Keys
from guardtier.store.record import Record
from tier import StartTier, Tier, low
from waiting import until

KEYS = Keys(0)
POLICY = """
[[rule]]
name = "deploys"
outcome = "park"
when = 'tool == "deploy" || fleet == "production"'

[[rule]]
name = "secrets"
outcome = "park"
redacted = "*"

[fleet.web]
policy = { kind = "never_confirm" }
"""
DEPLOY = low("all", tool_name="deploy").placed_in(0)
HARMLESS = low("ls", id=DEPLOY.id)


@pytest.fixture
async def tier(start_tier: StartTier, tmp_path: Path) -> Tier:
    file = tmp_path / "policy.toml"
    file.write_text(f"version = 1\n{POLICY}")
    return await start_tier(analyzers=0, policy_file=file, fleets={"web": {}, "production": {}})


async def decided(tier: Tier, kept: ActionEvent, said: ActionEvent = DEPLOY, **forged: Any) -> Record:
    """What is made of a record and a rating that were written by hand, of ``said``'s digest."""
    rating = Assessment(risk=SecurityRisk.LOW).to_json()
    record = {
        "state": "assessed",
        "fleet": said.fleet,
        "waiters": "c1",
        "digest": said.digest,
        "event": kept.to_json(),
        "entry": "1-0",
        "assessment": rating,
    }
    await tier.redis.hset(KEYS.action(said.id), mapping=record)
    entry = {
        "id": said.id,
        "fleet": said.fleet,
        "agent": said.agent,
        "client": "c1",
        "digest": said.digest,
        "assessment": rating,
        "tool": said.tool_name,
        "conversation": "",
    }
    await tier.redis.xadd(KEYS.assessed, entry | forged)

    async def done() -> Record | None:
        found = await tier.record(said.id)
        return found if found.state is not State.ASSESSED else None

    found: Record = await until(done)
    return found


async def test_what_no_rule_parks_is_released(tier: Tier) -> None:
    assert (await decided(tier, HARMLESS, HARMLESS)).state is State.RELEASED


async def test_what_a_rule_parks_is_parked(tier: Tier) -> None:
    assert (await decided(tier, DEPLOY)).state is State.PARKED


@pytest.mark.parametrize("forged", [{"tool": "ls"}, {"agent": "other"}, {"fleet": "web", "tool": "ls"}])
async def test_another_tool_or_agent_than_the_actions_releases_nothing(
    tier: Tier, forged: dict[str, str]
) -> None:
    found = await decided(tier, DEPLOY, **forged)

    assert (found.state, found.policy) == (State.PARKED, "policy.failed")


async def test_another_fleet_than_the_actions_releases_nothing(tier: Tier) -> None:
    strict = DEPLOY.model_copy(update={"fleet": "production", "tool_name": "ls"})

    found = await decided(tier, strict, strict, fleet="web")

    assert found.state is State.PARKED


async def test_another_action_in_the_record_releases_nothing(tier: Tier) -> None:
    found = await decided(tier, HARMLESS, tool="ls")

    assert (found.state, found.policy) == (State.PARKED, "policy.failed")


async def test_what_is_said_to_hold_a_secret_is_what_rules_for_secrets_park(tier: Tier) -> None:
    found = await decided(tier, HARMLESS, tool="ls", redacted="github_token", shown="0" * 64)

    assert found.state is State.PARKED
