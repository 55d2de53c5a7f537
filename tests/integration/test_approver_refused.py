"""Answers that do not count: whose, about what, when; each is told, and changes nothing."""

from __future__ import annotations

import pytest

from guardtier import ApproverClient, State
from guardtier.errors import (
    ConfigError,
    DigestMismatch,
    GuardTimeout,
    InvalidAction,
    NotAuthorized,
    TierUnavailable,
    UnknownAction,
    WrongState,
)
from tier import StartTier, Tier, high, low

OTHER_DIGEST = "0" * 64


async def parked(tier: Tier, **fields: str) -> str:
    """The id of a new parked action."""
    return (await tier.client().submit(high(**fields))).id


async def digest_of(tier: Tier, action_id: str) -> str:
    """So that an approver needs not look at it first, which is refused as well."""
    return (await tier.record(action_id)).digest


async def refused(tier: Tier, action_id: str) -> str:
    """That an answer changed nothing; what the audit stream says of it."""
    assert (await tier.record(action_id)).state is State.PARKED
    line = (await tier.audit(action_id))[-1]
    assert line["event"] == "answer_refused"
    await tier.idle()
    return line["error"]


async def test_a_made_up_token_proves_nothing(tier: Tier) -> None:
    action_id = await parked(tier)
    tier.approver("alice")

    with pytest.raises(NotAuthorized) as caught:
        await tier.impostor("alice").approve(action_id, digest=await digest_of(tier, action_id))

    assert caught.value.field == "approver"
    assert "not_authorized" in await refused(tier, action_id)


async def test_an_unknown_approver_is_told_the_same_as_a_wrong_token(tier: Tier) -> None:
    action_id = await parked(tier)
    tier.approver("alice")

    with pytest.raises(NotAuthorized) as wrong:
        await tier.impostor("alice").approve(action_id, digest=await digest_of(tier, action_id))
    with pytest.raises(NotAuthorized) as nobody:
        await tier.impostor("mallory").approve(action_id, digest=await digest_of(tier, action_id))

    assert str(nobody.value) == str(wrong.value)
    await refused(tier, action_id)


async def test_an_approver_of_another_fleet_finds_no_such_action(tier: Tier) -> None:
    action_id = await parked(tier)

    olga, digest = tier.approver("olga", ["ops"]), await digest_of(tier, action_id)
    with pytest.raises(UnknownAction, match="in your fleets") as foreign:
        await olga.approve(action_id, digest=digest)
    with pytest.raises(UnknownAction) as none:
        await olga.approve("none.0", digest=digest)
    assert str(foreign.value).replace(action_id, "none.0") == str(none.value)

    assert "unknown_action" in await refused(tier, action_id)


async def test_an_agent_cannot_approve_its_own_action(tier: Tier) -> None:
    action_id = await parked(tier, agent="alice")

    with pytest.raises(NotAuthorized, match="own action"):
        await tier.approver("alice").approve(action_id)

    await refused(tier, action_id)


async def test_an_answer_is_about_the_digest_that_was_seen(tier: Tier) -> None:
    action_id = await parked(tier)

    with pytest.raises(DigestMismatch) as caught:
        await tier.approver().approve(action_id, digest=OTHER_DIGEST)

    assert caught.value.field == "digest"
    assert "digest_mismatch" in await refused(tier, action_id)


async def test_an_answer_to_nothing_is_refused(tier: Tier) -> None:
    with pytest.raises(UnknownAction):
        await tier.approver().approve("nothing.0")
    with pytest.raises(UnknownAction):
        await tier.approver().approve("nothing.0", digest=OTHER_DIGEST)
    with pytest.raises(InvalidAction):
        await tier.approver().approve("nothing", digest=OTHER_DIGEST)
    await tier.idle()
    assert await tier.events("nothing.0") == ["answer_refused"]


@pytest.mark.parametrize("state", ["approved", "rejected", "redeemed", "released"])
async def test_what_is_decided_cannot_be_answered_again(tier: Tier, state: str) -> None:
    client, action = tier.client(), (low if state == "released" else high)()
    action_id = (await client.submit(action)).id
    if state == "rejected":
        await tier.approver().reject(action_id, reason="no")
    elif state != "released":
        await tier.approver().approve(action_id)
    if state == "redeemed":
        await client.redeem(action)

    with pytest.raises(WrongState, match=state) as caught:
        await tier.approver("bob").approve(action_id)

    assert caught.value.field == state
    assert ("by alice)" in caught.value.message) == (state != "released")
    assert (await tier.record(action_id)).state == state


async def test_after_the_deadline_nobody_approves(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=0.001)
    action_id = await parked(tier)

    with pytest.raises(WrongState, match="deadline") as caught:
        await tier.approver().approve(action_id)

    assert caught.value.field == "deadline"


async def test_without_a_token_one_can_only_read(tier: Tier) -> None:
    action_id = await parked(tier)
    async with ApproverClient(tier.settings.redis_url) as reader:
        assert (await reader.get(action_id)).id == action_id
        with pytest.raises(ConfigError, match="token"):
            await reader.approve(action_id)


async def test_without_a_policy_worker_an_answer_is_not_taken(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=0)  # an analyzer worker would prepare it anew
    await tier.upkeep.prepare(["web"])
    with pytest.raises(GuardTimeout):
        await tier.approver().approve("nothing.0", digest=OTHER_DIGEST, timeout=0.05)
    await tier.redis.flushall()
    with pytest.raises(TierUnavailable, match="no policy worker"):
        await tier.approver().approve("nothing.0", digest=OTHER_DIGEST)


async def test_a_broken_approvers_file_lets_nobody_answer(
    tier: Tier, caplog: pytest.LogCaptureFixture
) -> None:
    action_id, alice = await parked(tier), tier.approver("alice")
    file = tier.settings.approvers_file
    assert file is not None
    listed = file.read_text()

    file.write_text(listed + "[[approver")
    with pytest.raises(ConfigError, match="approvers"):
        await alice.approve(action_id, digest=await digest_of(tier, action_id))
    await refused(tier, action_id)
    await tier.policy()
    assert "nobody can answer: " in caplog.text  # a worker says so when it starts

    file.write_text(listed)
    assert (await alice.approve(action_id)).allowed
