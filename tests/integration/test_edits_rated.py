"""Edits while they are rated, sent again, or lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from editing import KEYS, SAFE, check_story, parked, start_gated, told
from guardtier import Outcome, State, Verdict
from guardtier.errors import AnalysisFailed, EditRefused, GuardTimeout, NotAuthorized, WrongState
from guardtier.policy.edit import Revised
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from tier import StartTier, Tier
from waiting import until


@pytest.fixture(autouse=True)
async def the_audit_stream_tells_the_story(redis_url: str) -> AsyncIterator[None]:
    """After each test."""
    yield
    await check_story(redis_url)


# -- while it is being rated -----------------------------------------------------------------------


async def test_one_edit_is_rated_at_a_time(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    with pytest.raises(EditRefused, match="another edit"):
        await tier.approver("bob").edit(asked.id, {"command": "ls"})
    gate.open.set()

    assert (await editing).allowed
    assert (await asked.waiting).arguments == SAFE


async def test_who_answers_meanwhile_wins_and_the_editor_is_told(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    await tier.approver("bob").approve(asked.id)
    verdict = await asked.waiting
    gate.open.set()

    assert not verdict.is_edited
    with pytest.raises(WrongState):
        await editing
    await tier.idle()
    record = await tier.record(asked.id)
    assert (record.digest, record.edit) == (asked.action.digest, b"")


async def test_who_says_no_while_their_own_edit_is_rated_has_not_approved_it(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)
    await tier.redis.hset(KEYS.action(asked.id), "terms", Terms(approve=1, reject=2).to_json())

    said = await tier.approver().reject(asked.id, reason="on second thoughts")
    gate.open.set()

    with pytest.raises(WrongState, match="has answered"):
        await editing
    assert isinstance(said, Counted)
    record = await tier.record(asked.id)
    assert (record.state, record.digest) == (State.PARKED, asked.action.digest)
    verdict = await tier.approver("bob").reject(asked.id, reason="nor me")
    assert verdict.decided_by == ("alice", "bob")
    assert not (await asked.waiting).allowed


async def test_the_deadline_counts_for_edits_too(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    await tier.redis.hset(KEYS.action(asked.id), "deadline", 1)
    gate.open.set()

    with pytest.raises(WrongState, match="deadline"):
        await editing
    asked.waiting.cancel()


async def test_an_approver_who_was_removed_meanwhile_edits_nothing(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    tier._approvers_file.write_text("")
    gate.open.set()

    with pytest.raises(NotAuthorized):
        await editing
    assert (await tier.record(asked.id)).digest == asked.action.digest
    asked.waiting.cancel()


async def test_an_edit_that_can_not_be_rated_waits_for_a_fresh_look(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=1)
    running = await tier.analyzer()
    asked = await parked(tier)
    await running.stop()
    tier.workers.remove(running)
    editing = asyncio.create_task(tier.approver().edit(asked.id, SAFE))
    await until(lambda: tier.redis.xlen(KEYS.edits))
    await tier.redis.xreadgroup("analyzers", "gone", {KEYS.edits: ">"})
    ((entry, _),) = await tier.redis.xrange(KEYS.edits)
    most = tier.settings.max_deliveries
    await tier.redis.xclaim(
        KEYS.edits, "analyzers", "gone", 0, [entry], idle=60_000, retrycount=most, justid=True
    )

    await tier.analyzer()

    said = await editing
    assert isinstance(said, Revised)
    assert said.riskier
    assert [found.id for found in said.findings] == ["analysis.failed"]
    asked.waiting.cancel()


async def test_an_edit_that_can_not_be_judged_leaves_the_action_as_it_was(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)
    policy = next(running for running in tier.workers if running.worker.kind == "policy")
    await policy.stop()
    tier.workers.remove(policy)
    gate.open.set()
    await until(lambda: _newest_is_edit(tier))
    ((entry, _),) = await tier.redis.xrevrange(KEYS.assessed, count=1)
    await tier.redis.xreadgroup("policies", "gone", {KEYS.assessed: ">"})
    most = tier.settings.max_deliveries
    await tier.redis.xclaim(
        KEYS.assessed, "policies", "gone", 0, [entry], idle=60_000, retrycount=most, justid=True
    )

    await tier.policy()

    with pytest.raises(AnalysisFailed):
        await editing
    record = await tier.record(asked.id)
    assert (record.state, record.digest, record.edit) == (State.PARKED, asked.action.digest, b"")
    asked.waiting.cancel()


async def _newest_is_edit(tier: Tier) -> bool:
    newest = await tier.redis.xrevrange(KEYS.assessed, count=1)
    return bool(newest) and newest[0][1].get(b"op") == b"edited"


# -- sent and delivered more than once -------------------------------------------------------------


async def test_the_same_edit_sent_again_changes_nothing_and_is_told_again(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.keep_entries(KEYS.answers)
    said = await tier.approver().edit(asked.id, SAFE)
    ((_, fields),) = [
        (entry, found)
        for entry, found in await tier.redis.xrange(KEYS.answers)
        if found.get(b"op") == b"edit"
    ] or [(None, None)]
    before = await tier.redis.hgetall(KEYS.action(asked.id))

    entry = await tier.redis.xadd(KEYS.answers, fields)
    reply = await told(tier, fields[b"client"].decode(), entry)

    assert Revised.model_validate_json(reply[b"body"]) == said
    assert await tier.redis.hgetall(KEYS.action(asked.id)) == before
    await tier.approver("bob").approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    entry = await tier.redis.xadd(KEYS.answers, fields)
    reply = await told(tier, fields[b"client"].decode(), entry)
    assert Verdict.from_json(reply[b"verdict"]) == verdict
    assert (await tier.events(asked.id)).count("edited") == 1


async def test_an_edit_sent_again_while_it_is_rated_is_rated_once(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier, keep=True)
    (fields,) = [found for _, found in await tier.redis.xrange(KEYS.answers) if found.get(b"op") == b"edit"]

    entry = await tier.redis.xadd(KEYS.answers, fields)
    await until(lambda: _is_asking(tier, asked.id, entry))
    gate.open.set()

    reply = await told(tier, fields[b"client"].decode(), entry)
    assert b"verdict" in reply
    assert gate.entered == 1
    assert (await asked.waiting).arguments == SAFE
    assert (await editing).allowed  # who asked first is told as well


async def _is_asking(tier: Tier, action_id: str, entry: bytes) -> bool:
    return entry in await tier.redis.hget(KEYS.action(action_id), "asking")


async def test_nobody_hears_of_an_edit_that_nobody_rates(start_tier: StartTier) -> None:
    tier = await start_tier()
    asked = await parked(tier)
    await tier.workers[0].stop()
    tier.workers.pop(0)

    with pytest.raises(GuardTimeout):
        await tier.approver().edit(asked.id, SAFE, timeout=0.5)

    await tier.approver("bob").reject(asked.id, reason="no")  # the action can be answered all the while
    assert (await asked.waiting).outcome is Outcome.REJECTED
