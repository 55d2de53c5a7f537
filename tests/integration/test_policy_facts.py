"""What rules of a policy file are told in a running tier: labels, targets; and what stands above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardtier import ActionEvent, State
from guardtier.analyzers.member import MemberSettings
from guardtier.policy.grants import Pattern, Remember, grant_id
from guardtier.policy.halts import OVER_PACE
from guardtier.policy.terms import Terms
from guardtier.settings import Settings
from guardtier.store.keys import GrantKeys
from tier import StartTier, Tier
from waiting import until

RULES = """
version = 1

[[rule]]
name = "no-secrets"
outcome = "park"
label = ["secret.read"]

[[rule]]
name = "prod"
outcome = "park"
target = ["*/prod/*"]
terms = { approve = 2 }

[fleet.web]
policy = { kind = "never_confirm" }
budget = { actions_a_minute = 4 }

[fleet.shadow]
mode = "shadow"
"""


async def started(start_tier: StartTier, tmp_path: Path, rules: str = RULES, **settings: Any) -> Tier:
    file = tmp_path / "policy.toml"
    file.write_text(rules)
    analyzers = Settings.model_fields["analyzers"].default
    tier = await start_tier(
        analyzers=0, policies=0, policy_file=file, fleets={"web": {}, "shadow": {}}, **settings
    )
    tier.settings = tier.settings.model_copy(update={"analyzers": analyzers})
    await tier.analyzer()
    await tier.policy()
    return tier


async def test_what_could_not_be_decided_is_not_easier_to_approve_than_what_a_rule_parks(
    start_tier: StartTier, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(RULES)
    tier = await start_tier(policies=0, policy_file=tmp_path / "policy.toml", max_deliveries=1)
    gone = MemberSettings.model_validate({"file": str(tmp_path / "gone.toml")})
    tier.settings = tier.settings.model_copy(update={"analyzer": {"flow": gone}})
    await tier.policy()

    status = await tier.client().submit(does("ls"))

    record = await tier.record(status.id)
    assert (status.state, record.policy) == (State.PARKED, "policy.failed")
    assert Terms.read(record.terms) == Terms(approve=2, may_remember=False)


def does(command: str, **fields: Any) -> ActionEvent:
    known = {"fleet": "web", "agent": "agent-1", "tool_name": "terminal"}
    return ActionEvent(**known | {"arguments": {"command": command}} | fields)


async def test_a_grant_covers_nothing_under_labels_that_its_approver_did_not_see(
    start_tier: StartTier, tmp_path: Path
) -> None:
    rules = RULES.replace("never_confirm", "always_confirm").replace("budget", "# budget")
    tier = await started(start_tier, tmp_path, rules)
    client = tier.client()

    async def pushed(*, conversation: str | None = "c1", remember: bool = False) -> State:
        status = await client.submit(does("git push", conversation=conversation))
        if remember:
            await tier.approver().approve(status.id, remember=Remember(pattern=Pattern.EXACT))
            await until(lambda: tier.redis.hexists(GrantKeys("web").grants, grant_id(status.id)))
        return status.state

    await pushed(remember=True)
    assert await pushed() is State.RELEASED
    await client.submit(does("cat ~/.aws/credentials", conversation="c1"))

    assert await pushed() is State.PARKED
    assert await pushed(conversation=None) is State.RELEASED
    await pushed(remember=True)
    assert await pushed() is State.RELEASED


async def rules_of(tier: Tier, action: ActionEvent) -> str:
    """What the audit line says of the rules that parked it."""
    status = await tier.client(action.fleet).submit(action)
    assert status.state is State.PARKED
    return next(line["details"] for line in await tier.audit(status.id) if line["event"] == "parked")


async def test_a_label_of_the_conversation_is_told(start_tier: StartTier, tmp_path: Path) -> None:
    tier = await started(start_tier, tmp_path)
    await tier.client().submit(does("cat ~/.aws/credentials", conversation="c-1"))

    assert '"no-secrets"' in await rules_of(tier, does("echo hello", conversation="c-1"))
    free = await tier.client().submit(does("echo hello", conversation="c-2", agent="agent-2"))
    assert free.state is State.RELEASED


async def test_leaving_out_the_conversation_hides_no_label(start_tier: StartTier, tmp_path: Path) -> None:
    tier = await started(start_tier, tmp_path)

    assert '"no-secrets"' in await rules_of(tier, does("cat ~/.aws/credentials"))


async def test_targets_are_told_and_what_can_not_be_told_parks(
    start_tier: StartTier, tmp_path: Path
) -> None:
    tier = await started(start_tier, tmp_path)

    assert '"prod"' in await rules_of(tier, does("touch /srv/prod/x"))
    assert '"prod"' in await rules_of(tier, does("touch $WHERE/x"))
    assert (await tier.client().submit(does("touch /srv/test/x"))).state is State.RELEASED


async def test_under_a_halt_what_a_rule_parks_keeps_its_terms(
    start_tier: StartTier, tmp_path: Path
) -> None:
    tier = await started(start_tier, tmp_path)
    await tier.operator().halt("web", reason="stop")

    held = await tier.client().submit(does("touch /srv/prod/x"))

    record = await tier.record(held.id)
    assert b'"approve":2' in record.terms
    assert record.assessment.findings[0].id == "agent.halted"


async def test_a_fleet_in_shadow_mode_is_halted_as_well(start_tier: StartTier, tmp_path: Path) -> None:
    tier = await started(start_tier, tmp_path)
    client, wild = tier.client("shadow"), does("touch /srv/prod/x", fleet="shadow")
    assert (await client.submit(wild)).state is State.RELEASED

    await tier.operator().halt("shadow", reason="stop", then="reject")

    assert (await client.submit(does("touch /srv/prod/y", fleet="shadow"))).state is State.REJECTED


async def test_a_files_budget_counts(start_tier: StartTier, tmp_path: Path) -> None:
    tier = await started(start_tier, tmp_path, budget={"actions_a_minute": 1})
    client = tier.client()

    states = [(await client.submit(does(f"echo {n}"))).state for n in range(5)]

    assert states == [*[State.RELEASED] * 4, State.PARKED]
    (held,) = await tier.parked()
    assert held.assessment.findings[0].id == OVER_PACE


async def test_what_carries_a_secret_waits_for_somebody_with_a_role(
    start_tier: StartTier, tmp_path: Path
) -> None:
    carries = '[[rule]]\nname = "carries"\noutcome = "park"\nredacted = "*"\n'
    rules = f'{RULES}\n{carries}terms = {{ roles = ["security"] }}\n'
    tier = await started(start_tier, tmp_path, rules)

    free = await tier.client().submit(
        does("run", tool_name="deploy", arguments={"env": {"A": "plain text"}})
    )
    held = await tier.client().submit(
        does("run", tool_name="deploy", arguments={"env": [{"name": "DB_PASSWORD", "value": "hunter22"}]})
    )

    assert (free.state, held.state) == (State.RELEASED, State.PARKED)
    assert Terms.read((await tier.record(held.id)).terms).roles == ("security",)
