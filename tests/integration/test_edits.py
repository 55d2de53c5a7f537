"""Edit and approve: an approver's arguments run instead of the agent's, if the tier lets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from editing import KEYS, SAFE, ByWord, check_story, is_in, parked, start_under
from guardtier import Outcome, SecurityRisk, State
from guardtier.blocking import BlockingGuardClient
from guardtier.errors import ActionConflict, DigestMismatch, EditedAction, EditRefused, WrongState
from guardtier.policy.edit import Revised
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from tier import StartTier, Tier, high, only
from waiting import until


@pytest.fixture(autouse=True)
async def the_audit_stream_tells_the_story(redis_url: str) -> AsyncIterator[None]:
    """After each test."""
    yield
    await check_story(redis_url)


# -- what takes effect -----------------------------------------------------------------------------


async def test_the_agent_gets_the_approvers_arguments_and_runs_those(tier: Tier) -> None:
    asked = await parked(tier)

    said = await tier.approver().edit(asked.id, SAFE, reason="look first")
    verdict = await asked.waiting

    edited = verdict.apply(asked.action)
    assert said == verdict
    assert (verdict.outcome, verdict.decided_by, verdict.reason) == (
        Outcome.APPROVED,
        ("alice",),
        "look first",
    )
    assert edited == asked.action.model_copy(update={"arguments": SAFE})
    assert (verdict.digest, verdict.edited_from) == (edited.digest, asked.action.digest)
    assert '"command": "ls ~/.ssh"' in verdict.feedback
    assert "not with yours" in verdict.feedback
    assert await is_in(tier, asked.id, State.REDEEMED)


async def test_the_story_is_on_the_audit_stream(tier: Tier) -> None:
    asked = await parked(tier)

    verdict = await tier.approver().edit(asked.id, SAFE, reason="look first")
    await asked.waiting

    lines = await tier.audit(asked.id)
    assert [line["event"] for line in lines] == ["assessed", "parked", "edited", "approved", "redeemed"]
    edited, approved = lines[2], lines[3]
    assert (edited["digest"], edited["was"], edited["by"]) == (verdict.digest, asked.action.digest, "alice")
    assert (approved["digest"], approved["by"], approved["reason"]) == (
        verdict.digest,
        "alice",
        "look first",
    )
    assert '"principal":"alice"' in edited["details"]


async def test_what_is_riskier_waits_for_a_fresh_look(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(ByWord()))
    asked = await parked(tier)
    alice = tier.approver()

    said = await alice.edit(asked.id, {"command": "./setup"})

    record = await tier.record(asked.id)
    assert isinstance(said, Revised)
    assert (said.riskier, said.risk, said.allowed) == (True, SecurityRisk.UNKNOWN, False)
    assert "riskier" in said.in_words
    assert (record.state, record.digest, record.votes) == (State.PARKED, said.digest, b"")
    assert record.assessment.risk is SecurityRisk.UNKNOWN
    assert record.action.arguments == {"command": "./setup"}
    with pytest.raises(DigestMismatch):
        await alice.approve(asked.id, digest=asked.action.digest)

    await alice.approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    assert verdict.apply(asked.action).arguments == {"command": "./setup"}
    assert verdict.edited_from == asked.action.digest


async def test_a_riskier_edit_can_be_rejected_and_the_agent_is_told(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(ByWord()))
    asked = await parked(tier, accepts=True)
    said = await tier.approver().edit(asked.id, {"command": "./setup"})

    await tier.approver().reject(asked.id, digest=said.digest, reason="neither")

    verdict = await asked.waiting
    assert (verdict.outcome, verdict.reason, verdict.arguments) == (Outcome.REJECTED, "neither", None)
    assert verdict.edited_from == asked.action.digest
    with pytest.raises(WrongState):
        verdict.apply(asked.action)
    assert await tier.redis.exists(KEYS.block(asked.action.digest))  # it is what the agent would repeat


async def test_a_rejection_of_the_edited_action_does_not_count_the_editor_as_approving(
    start_tier: StartTier, tmp_path: Path
) -> None:
    tier = await start_under(start_tier, tmp_path, "[fleet.web]\nterms = {approve = 1, reject = 2}")
    asked = await parked(tier)
    said = await tier.approver().edit(asked.id, {"command": "./setup"})

    counted = await tier.approver("bob").reject(asked.id, digest=said.digest, reason="no")

    assert isinstance(counted, Counted)
    assert await is_in(tier, asked.id, State.PARKED)
    asked.waiting.cancel()


async def test_an_edit_is_one_approval_where_more_are_needed(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver("bob").approve(asked.id)  # of what is no more

    said = await tier.approver().edit(asked.id, SAFE)
    assert isinstance(said, Revised)
    assert (said.riskier, said.approved_by, said.approve) == (False, ("alice",), 2)
    assert said.in_words == "changed, 1 of 2 approvals: alice"
    again = await tier.approver().approve(asked.id, digest=said.digest)
    assert isinstance(again, Counted)  # the editor counts once

    await tier.approver("bob").approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    assert verdict.decided_by == ("alice", "bob")
    assert verdict.apply(asked.action).arguments == SAFE


async def test_edited_back_it_is_the_agents_own_action(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2), accepts=True)
    await tier.approver().edit(asked.id, SAFE)

    await tier.approver().edit(asked.id, asked.action.arguments)
    await tier.approver("bob").approve(asked.id, digest=asked.action.digest)

    verdict = await asked.waiting
    assert not verdict.is_edited
    assert verdict.digest == asked.action.digest
    assert (await tier.record(asked.id)).asked is None


async def test_an_answer_from_before_an_edit_and_its_undoing_is_not_sent_once_more(tier: Tier) -> None:
    """Alice approved, then rejected, then the votes went with an edit: her approval must not come back."""
    asked = await parked(tier, terms=Terms(approve=2, reject=2), accepts=True)
    await tier.keep_entries(KEYS.answers)
    await tier.approver().approve(asked.id)
    ((_, approval),) = await tier.redis.xrevrange(KEYS.answers, count=1)
    await tier.approver().reject(asked.id, reason="on second thoughts")
    await tier.approver("bob").edit(asked.id, SAFE)
    await tier.approver("bob").edit(asked.id, asked.action.arguments)

    await tier.redis.xadd(KEYS.answers, approval)
    await tier.idle()

    assert (await tier.record(asked.id)).state is State.PARKED
    last = (await tier.audit(asked.id))[-1]
    assert last["event"] == "answer_refused"
    assert "older than the last edit" in last["error"]


async def test_an_edit_that_was_undone_is_not_sent_once_more(tier: Tier) -> None:
    """Its editor's approval must not come back, nor what it made of the action."""
    asked = await parked(tier, terms=Terms(approve=2), accepts=True)
    await tier.keep_entries(KEYS.answers)
    await tier.approver().edit(asked.id, SAFE)
    ((_, edit),) = await tier.redis.xrevrange(KEYS.answers, count=1)
    await tier.approver("bob").edit(asked.id, asked.action.arguments)

    await tier.redis.xadd(KEYS.answers, edit)
    await tier.idle()

    record = await tier.record(asked.id)
    assert (record.state, record.digest) == (State.PARKED, asked.action.digest)
    last = (await tier.audit(asked.id))[-1]
    assert last["event"] == "edit_refused"
    assert "older than the last one" in last["error"]
    asked.waiting.cancel()


async def test_an_edited_edit_still_knows_what_was_asked_for(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver().edit(asked.id, SAFE)
    second = await tier.approver("bob").edit(asked.id, {"command": "ls"})
    assert isinstance(second, Revised)
    assert second.approved_by == ("bob",)

    await tier.approver().approve(asked.id, digest=second.digest)

    verdict = await asked.waiting
    assert verdict.edited_from == asked.action.digest
    assert verdict.arguments == {"command": "ls"}


# -- the agent's side ------------------------------------------------------------------------------


async def test_who_takes_no_edits_gets_none(tier: Tier) -> None:
    asked = await parked(tier, accepts=False)

    with pytest.raises(EditRefused, match="takes no edited arguments") as refused:
        await tier.approver().edit(asked.id, SAFE)

    assert refused.value.field == "accepts"
    assert (await tier.record(asked.id)).digest == asked.action.digest
    await tier.approver().approve(asked.id)
    assert (await asked.waiting).allowed


async def test_another_client_that_takes_no_edits_is_never_allowed_one(tier: Tier) -> None:
    guard = tier.client(accept_edits=True)
    status = await guard.submit(high())
    action = (await tier.record(status.id)).action
    await tier.approver().edit(action.id, SAFE)
    other = tier.client(accept_edits=False)

    with pytest.raises(EditedAction):
        await other.check(action)
    with pytest.raises(EditedAction):
        await other.poll(action)
    with pytest.raises(EditedAction):
        await other.poll(action.id)
    with pytest.raises(EditedAction):
        await other.redeem(action)

    assert await is_in(tier, action.id, State.APPROVED)  # and it is not used up
    assert (await guard.redeem(action)).apply(action).arguments == SAFE


async def test_the_last_client_that_submitted_says_whether_it_takes_edits(tier: Tier) -> None:
    action = high().placed_in(0)
    await tier.client(accept_edits=True).submit(action)
    await tier.client(accept_edits=False).submit(action)

    with pytest.raises(EditRefused):
        await tier.approver().edit(action.id, SAFE)


async def test_a_blocking_client_takes_edits_too(tier: Tier) -> None:
    action = high().placed_in(0)
    blocking = await asyncio.to_thread(
        BlockingGuardClient, tier.url, fleet="web", client_id="b1", accept_edits=True
    )
    waiting = asyncio.create_task(asyncio.to_thread(blocking.check, action, timeout=90))
    await until(lambda: is_in(tier, action.id, State.PARKED))

    await tier.approver().edit(action.id, SAFE)

    assert (await waiting).apply(action).arguments == SAFE
    await asyncio.to_thread(blocking.close)


async def test_a_restarted_agent_finds_its_own_action_again(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver().edit(asked.id, SAFE)
    guard = tier.client(accept_edits=True)

    (found,) = await guard.pending("agent-1")
    polled = await guard.poll(asked.action)
    submitted = await guard.submit(asked.action)

    assert (found.action, found.digest) == (asked.action, asked.action.digest)
    assert polled.state is submitted.state is State.PARKED
    with pytest.raises(ActionConflict):  # the edited action is nobody's to submit
        await guard.submit(asked.action.model_copy(update={"arguments": SAFE}))
    asked.waiting.cancel()


async def test_what_expires_after_an_edit_is_told_as_the_agents_own(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=600)
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver().edit(asked.id, SAFE)
    await tier.redis.hset(KEYS.action(asked.id), "deadline", 1)
    await tier.redis.zadd(KEYS.parked, {asked.id: 1})

    await tier.steward().sweep()

    verdict = await asked.waiting
    assert (verdict.outcome, verdict.edited_from) == (Outcome.EXPIRED, asked.action.digest)
