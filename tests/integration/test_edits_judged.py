"""Edits that the policy, the terms or their own form do not let through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from editing import KEYS, SAFE, check_story, colleague, is_in, parked, start_under
from guardtier import SecurityRisk, State
from guardtier.errors import (
    DigestMismatch,
    EditRefused,
    InvalidAction,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
    WrongState,
)
from guardtier.policy.edit import Revised
from guardtier.policy.terms import Terms
from tier import StartTier, Tier, unknown


@pytest.fixture(autouse=True)
async def the_audit_stream_tells_the_story(redis_url: str) -> AsyncIterator[None]:
    """After each test."""
    yield
    await check_story(redis_url)


# -- what the policy says of it --------------------------------------------------------------------


async def test_what_the_policy_rejects_is_refused_and_the_action_waits_on(
    start_tier: StartTier, tmp_path: Path
) -> None:
    rule = '[[rule]]\nname = "no-ls"\nrisk = ["LOW"]\noutcome = "reject"\nreason = "never here"'
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier)

    with pytest.raises(EditRefused, match=r"no-ls.*never here") as refused:
        await tier.approver().edit(asked.id, SAFE)

    record = await tier.record(asked.id)
    assert refused.value.field == "policy"
    assert (record.state, record.digest, record.edit) == (State.PARKED, asked.action.digest, b"")
    assert (await tier.events(asked.id))[-1] == "edit_refused"
    await tier.approver().approve(asked.id)
    assert (await asked.waiting).allowed


async def test_an_edit_leads_past_no_quorum_and_no_role(start_tier: StartTier, tmp_path: Path) -> None:
    rule = (
        '[[rule]]\nname = "prod"\nrisk = ["LOW"]\noutcome = "park"\nterms = {approve = 2, roles = ["dba"]}'
    )
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier)
    colleague(tier, "dora", "dba")

    with pytest.raises(NotAuthorized, match="dba"):
        await tier.approver().edit(asked.id, SAFE)
    assert (await tier.record(asked.id)).digest == asked.action.digest

    said = await colleague(tier, "dora", "dba").edit(asked.id, SAFE)
    assert isinstance(said, Revised)
    assert (said.approved_by, said.approve) == (("dora",), 2)
    with pytest.raises(NotAuthorized, match="dba"):
        await tier.approver().approve(asked.id, digest=said.digest)
    await colleague(tier, "dirk", "dba").approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    assert verdict.decided_by == ("dora", "dirk")
    assert (await tier.record(asked.id)).policy == verdict.policy


@pytest.mark.parametrize(
    "matcher", ['label = ["secret.read"]', 'target = ["*/.aws/*"]', "when = 'size(action.arguments) == 1'"]
)
async def test_rules_look_at_the_edited_action(start_tier: StartTier, tmp_path: Path, matcher: str) -> None:
    rule = f'[[rule]]\nname = "secrets"\nrisk = ["UNKNOWN"]\n{matcher}\noutcome = "reject"'
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier)

    with pytest.raises(EditRefused, match="secrets"):
        await tier.approver().edit(asked.id, {"command": "cat ~/.aws/credentials"})
    asked.waiting.cancel()


async def test_a_secret_in_what_the_agent_said_keeps_nobody_from_an_edit(tier: Tier) -> None:
    """Nor is it taken for one of the edit's, or marked once more."""
    token = "ghp_" + "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"
    client = tier.client(accept_edits=True)
    waiting = asyncio.create_task(client.check(unknown("./a.out", thought=f"by {token}"), timeout=90))
    (record,) = await tier.parked()
    assert token not in record.action.thought

    await tier.approver().edit(record.id, SAFE)

    assert (await waiting).arguments == SAFE
    assert (await tier.record(record.id)).action.thought == record.action.thought


async def test_a_rule_asks_for_secrets_of_what_is_edited(start_tier: StartTier, tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "spoken"\nrisk = ["LOW"]\nredacted = "github_token"\noutcome = "reject"'
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier, thought="by ghp_" + "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H")

    with pytest.raises(EditRefused, match="spoken"):
        await tier.approver().edit(asked.id, SAFE)
    asked.waiting.cancel()


async def test_what_the_policy_would_release_still_needs_those_that_the_action_waited_for(
    start_tier: StartTier, tmp_path: Path
) -> None:
    tier = await start_under(start_tier, tmp_path, "[fleet.web]\nterms = {approve = 2}")
    asked = await parked(tier)

    said = await tier.approver().edit(asked.id, SAFE)

    assert isinstance(said, Revised)
    assert (said.approve, said.risk) == (2, SecurityRisk.LOW)
    asked.waiting.cancel()


async def test_a_block_or_a_halt_that_came_meanwhile_counts(tier: Tier) -> None:
    asked = await parked(tier)
    edited = asked.action.model_copy(update={"arguments": SAFE})
    block = b'{"reason":"not even that","by":"bob","id":"a.0","until":9999999999999}'
    await tier.redis.set(KEYS.block(edited.digest), block)

    with pytest.raises(EditRefused, match="not even that"):
        await tier.approver().edit(asked.id, SAFE)

    await tier.redis.hset(KEYS.halts, "web", b'{"reason":"halted for now","by":"bob","at":1}')
    with pytest.raises(EditRefused, match="halted"):
        await tier.approver().edit(asked.id, {"command": "ls"})
    assert await is_in(tier, asked.id, State.PARKED)
    asked.waiting.cancel()


@pytest.mark.parametrize(
    ("terms", "error", "field", "says"),
    [
        (Terms(may_edit=False), EditRefused, "terms", "lets nobody edit"),
        (Terms(roles=("dba",)), NotAuthorized, "roles", "dba"),
        # an edited action's own terms are looked at once it is rated: that is not waited for here
        (Terms(reason_required=True), InvalidAnswer, "reason", "every answer to this action"),
    ],
)
async def test_the_terms_say_who_may_edit_and_how(
    tier: Tier, terms: Terms, error: type[Exception], field: str, says: str
) -> None:
    asked = await parked(tier, terms=terms)

    with pytest.raises(error, match=says) as refused:
        await tier.approver().edit(asked.id, SAFE)

    assert refused.value.field == field  # type: ignore[attr-defined]
    assert (await tier.record(asked.id)).edit == b""
    asked.waiting.cancel()


# -- bad input -------------------------------------------------------------------------------------


async def test_nobody_edits_their_own_action_or_another_fleets(tier: Tier) -> None:
    own = await parked(tier, agent="alice")
    theirs = await parked(tier)

    with pytest.raises(NotAuthorized):
        await tier.approver().edit(own.id, SAFE)
    with pytest.raises(UnknownAction):
        await tier.approver("carl", fleets=["ops"]).edit(theirs.id, SAFE)
    with pytest.raises(NotAuthorized):
        await tier.impostor().edit(theirs.id, SAFE)
    own.waiting.cancel()
    theirs.waiting.cancel()


@pytest.mark.parametrize(
    "arguments",
    [{"x": float("nan")}, {"x": 2**70}, {"x": "\ud800"}, {"x": "y" * 1024 * 1024}, {1: "x"}, [1], None],
    ids=["nan", "big", "surrogate", "long", "key", "list", "none"],
)
async def test_an_edited_action_that_is_none_is_refused_before_it_is_sent(
    tier: Tier, arguments: Any
) -> None:
    with pytest.raises(InvalidAction):
        await tier.approver().edit("a1.0", arguments, digest="0" * 64)


async def test_nothing_changed_is_no_edit(tier: Tier) -> None:
    asked = await parked(tier)

    with pytest.raises(InvalidAnswer, match="approve it instead"):
        await tier.approver().edit(asked.id, asked.action.arguments)
    with pytest.raises(DigestMismatch):
        await tier.approver().edit(asked.id, SAFE, digest="0" * 64)
    asked.waiting.cancel()


async def test_what_is_decided_is_not_edited(tier: Tier) -> None:
    asked = await parked(tier)
    await tier.approver().reject(asked.id, reason="no")
    await asked.waiting

    with pytest.raises(WrongState, match="rejected"):
        await tier.approver().edit(asked.id, SAFE)
