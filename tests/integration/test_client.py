"""GuardClient: what an agent asks, and what it is told, whatever happens on the way."""

from __future__ import annotations

import asyncio
from time import time

import pytest

from guardtier import GuardClient, Outcome, SecurityRisk, State
from guardtier.errors import (
    ActionConflict,
    AlreadyRedeemed,
    ConfigError,
    DigestMismatch,
    GuardTimeout,
    InvalidAction,
    TierUnavailable,
    UnknownAction,
    UnknownFleet,
    WrongState,
)
from guardtier.store.keys import Keys
from guardtier.verdict import Verdict
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, Tier, high, low
from waiting import until

# -- check -------------------------------------------------------------------------------------


async def test_a_harmless_action_is_released(tier: Tier) -> None:
    action = low()

    verdict = await tier.client().check(action)

    assert verdict.allowed
    assert verdict.outcome is Outcome.RELEASED
    assert verdict.digest == action.digest
    assert (await tier.record(f"{action.id}.0")).verdict == verdict
    assert await tier.events(f"{action.id}.0") == ["assessed", "released"]


async def test_an_approved_action_may_run_once(tier: Tier) -> None:
    asking = asyncio.create_task(tier.client().check(high()))
    (parked,) = await tier.parked()

    await tier.approver("alice").approve(parked.id, reason="go on")
    verdict = await asking

    assert verdict.allowed
    assert (verdict.outcome, verdict.reason) == (Outcome.APPROVED, "go on")
    assert verdict.decided_by == ("alice",)
    assert (await tier.record(parked.id)).state is State.REDEEMED
    events = await tier.events(parked.id)
    assert events == ["assessed", "parked", "approved", "redeemed"]


async def test_a_rejected_action_may_not_run_and_says_why(tier: Tier) -> None:
    asking = asyncio.create_task(tier.client().check(high()))
    (parked,) = await tier.parked()

    await tier.approver().reject(parked.id, reason="use the trash")
    verdict = await asking

    assert not verdict.allowed
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "use the trash")
    assert verdict.risk is SecurityRisk.HIGH
    assert [finding.id for finding in verdict.findings] == ["llm.claim"]


async def test_an_action_that_nobody_answers_expires(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=0.01)
    asking = asyncio.create_task(tier.client().check(high()))

    await until(tier.steward().sweep)
    verdict = await asking

    assert not verdict.allowed
    assert verdict.outcome is Outcome.EXPIRED


async def test_without_a_verdict_in_time_the_tool_must_not_run(tier: Tier) -> None:
    client, action = tier.client(), high()
    await client.check(low())  # it is connected: what follows is sent, however slow the machine

    with pytest.raises(GuardTimeout, match="must not run"):
        await client.check(action, timeout=0.5)

    await tier.parked()  # it can still be answered later


async def test_without_workers_it_times_out_too(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=0)
    await tier.upkeep.prepare(["web"])

    with pytest.raises(TimeoutError):
        await tier.client().check(low(), timeout=0.05)


async def test_an_unknown_fleet_is_told_at_once_and_audited(tier: Tier) -> None:
    action = low(fleet="nobody")

    with pytest.raises(UnknownFleet, match="fleet add nobody"):
        await tier.client("nobody").check(action)

    await tier.idle()
    assert await tier.events(f"{action.id}.0") == ["refused"]
    assert not await tier.redis.exists(Keys(0).actions("nobody"))


async def test_a_client_that_was_told_more_partitions_than_there_are_is_told_so(tier: Tier) -> None:
    client = GuardClient(tier.url, fleet="web", client_id="c-1", partitions=64)
    assert client.partition_for("c-1") > 0

    async with client:
        with pytest.raises(UnknownFleet, match="does the tier have 64"):
            await client.check(low())


async def test_whoever_stops_waiting_is_told_whether_a_person_has_to_answer(tier: Tier) -> None:
    client, action = tier.client(), high()

    async def waits_for_a_person() -> bool:
        with pytest.raises(GuardTimeout, match="the tool must not run") as late:
            await client.check(action, timeout=0.5)
        return late.value.field == "parked" and "goes on waiting for a person" in late.value.message

    await until(waits_for_a_person)
    await tier.approver().approve(action.placed_in(0).id)
    assert (await client.check(action)).allowed


async def test_what_is_not_rated_in_time_is_not_said_to_wait_for_a_person(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)

    with pytest.raises(GuardTimeout, match="no answer about") as late:
        await tier.client().check(high(), timeout=0.5)
    assert late.value.field is None


async def test_redis_away_is_no_verdict(own_server: EmbeddedRedis) -> None:
    async with GuardClient(own_server.url, fleet="web") as client:
        own_server.kill()

        with pytest.raises(TierUnavailable):
            await client.check(low(), timeout=1)


async def test_what_can_never_work_is_told_before_anything_is_sent(tier: Tier) -> None:
    client = tier.client()

    with pytest.raises(InvalidAction, match="speaks for fleet"):
        await client.check(low(fleet="other"))
    with pytest.raises(InvalidAction, match=r"full action id.* as in abc\.0"):
        await client.poll("abc")
    with pytest.raises(ConfigError, match="client_id"):
        GuardClient(tier.settings.redis_url, fleet="web", client_id="a:b")
    assert await tier.audit() == []


# -- submit, poll, redeem ----------------------------------------------------------------------


async def test_an_approval_is_redeemed_once(tier: Tier) -> None:
    client, action = tier.client(), high()

    submitted = await client.submit(action)
    assert submitted.state is State.PARKED
    assert submitted.verdict is None
    assert submitted.deadline is not None
    assert submitted.deadline > time() * 1000
    assert await client.poll(submitted.id) == submitted
    with pytest.raises(WrongState, match="parked"):
        await client.redeem(action)

    given = await tier.approver().approve(submitted.id)
    polled = await client.poll(action)
    assert (polled.state, polled.verdict) == (State.APPROVED, given)

    assert await client.redeem(action) == given
    with pytest.raises(AlreadyRedeemed):
        await client.redeem(action)
    assert (await tier.events(submitted.id))[-2:] == ["redeemed", "refused"]


async def test_an_action_that_ran_is_not_allowed_to_run_again(tier: Tier) -> None:
    client, action = tier.client(), high()
    submitted = await client.submit(action)
    await tier.approver().approve(submitted.id)
    assert (await client.check(action)).allowed

    with pytest.raises(AlreadyRedeemed):
        await client.check(action)


async def test_of_many_redeems_at_once_one_wins(tier: Tier) -> None:
    clients, action = [tier.client() for _ in range(5)], high()
    submitted = await clients[0].submit(action)
    await tier.approver().approve(submitted.id)

    placed = action.placed_in(0)
    results = await asyncio.gather(*(client.redeem(placed) for client in clients), return_exceptions=True)

    assert sum(isinstance(result, Verdict) for result in results) == 1
    assert sum(isinstance(result, AlreadyRedeemed) for result in results) == 4


async def test_a_released_action_needs_no_redeeming(tier: Tier) -> None:
    client, action = tier.client(), low()

    submitted = await client.submit(action)

    assert submitted.state is State.RELEASED
    with pytest.raises(WrongState, match="released"):
        await client.redeem(action)


async def test_an_action_that_nobody_published_is_unknown(tier: Tier) -> None:
    with pytest.raises(UnknownAction):
        await tier.client().poll("nothing.0")
    with pytest.raises(UnknownAction):
        await tier.client().redeem(low())


async def test_another_fleet_can_neither_poll_nor_redeem(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    submitted = await tier.client("web").submit(high())

    with pytest.raises(UnknownAction):
        await tier.client("ops").poll(submitted.id)


async def test_the_same_action_twice_has_one_verdict(tier: Tier) -> None:
    client, action = tier.client(), low()

    first = await client.check(action)
    again = await client.check(action)

    assert again == first
    assert await tier.events(first.id) == ["assessed", "released", "repeated"]


async def test_the_same_id_for_another_action_is_refused(tier: Tier) -> None:
    client, action = tier.client(), low("ls")
    await client.check(action)

    with pytest.raises(ActionConflict) as caught:
        await client.check(low("rm -rf /", id=action.id))

    assert caught.value.field == "id"
    await tier.idle()
    assert (await tier.events(f"{action.id}.0"))[-1] == "refused"


async def test_a_poll_with_another_action_of_that_id_is_a_mismatch(tier: Tier) -> None:
    client, action = tier.client(), low("ls")
    await client.check(action)

    with pytest.raises(DigestMismatch):
        await client.poll(low("rm -rf /", id=action.id))
