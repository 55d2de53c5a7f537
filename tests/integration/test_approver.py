"""ApproverClient: what people see of the confirmation set, and which of their answers count."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from time import time

import pytest

from guardtier import ApproverClient, Outcome, State
from guardtier.approver import AuditEvent
from guardtier.errors import (
    GuardtierError,
    InvalidAction,
    NotAuthorized,
    TierUnavailable,
    UnknownAction,
    WrongState,
)
from guardtier.store.connection import trouble_of
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, Tier, high, low
from waiting import until

OTHER_DIGEST = "0" * 64


async def parked(tier: Tier, **fields: str) -> str:
    """The id of a new parked action."""
    return (await tier.client().submit(high(**fields))).id


# -- reading -----------------------------------------------------------------------------------


async def test_the_nearest_deadline_comes_first_page_by_page(start_tier: StartTier) -> None:
    seconds = {"e": 500, "a": 100, "c": 300, "b": 200, "d": 400}
    tier = await start_tier(partitions=2, fleets={name: {"park_seconds": s} for name, s in seconds.items()})
    for fleet in seconds:
        await tier.client(fleet).submit(high(fleet=fleet))
    approver = tier.approver()

    pages = [await approver.pending(limit=2, after=after) for after in (0, 2, 4, 6)]

    assert [[record.fleet for record in page] for page in pages] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
        [],
    ]
    assert await approver.count() == 5


async def test_a_record_shows_what_the_agent_asked(tier: Tier) -> None:
    action = high("dd if=/dev/zero of=/dev/sda", summary="wipe", thought="it said so")
    submitted = await tier.client().submit(action)

    record = await tier.approver().get(submitted.id)

    assert record.action == action.placed_in(0)
    assert (record.state, record.deadline) == (State.PARKED, submitted.deadline)
    assert (record.digest, record.fleet) == (action.digest, "web")
    assert abs(record.received_at - time() * 1000) < 60_000
    assert record.verdict is None


async def test_a_record_that_is_not_there_is_told_from_an_id_that_is_none(tier: Tier) -> None:
    with pytest.raises(UnknownAction):
        await tier.approver().get("nothing.0")
    for no_id in ("nothing", "nothing.7", "a:b.0", ""):
        with pytest.raises(InvalidAction):
            await tier.approver().get(no_id)


async def test_what_was_released_is_no_part_of_the_confirmation_set(tier: Tier) -> None:
    await tier.client().check(low())
    parked_id = await parked(tier)
    await tier.approver().approve(parked_id)

    assert await tier.approver().pending() == []
    assert await tier.approver().count() == 0


async def test_watching_shows_each_transition_as_it_happens(tier: Tier) -> None:
    seen: list[AuditEvent] = []

    async def watch() -> None:
        async with aclosing(tier.approver().watch()) as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401 - others look at it meanwhile

    watching = asyncio.create_task(watch())
    await until(lambda: follows(tier))
    action = high().placed_in(0)
    asking = asyncio.create_task(tier.client().check(action))
    await until(lambda: [event.event for event in seen] == ["assessed", "parked"])
    with pytest.raises(NotAuthorized):
        await tier.impostor().approve(action.id, digest=action.digest)
    await tier.approver().approve(action.id, reason="fine")
    await asking

    await until(lambda: len(seen) == 5)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert [event.event for event in seen[2:]] == ["answer_refused", "approved", "redeemed"]
    assert {event.id for event in seen} == {action.id}
    assert (seen[3].fields["by"], seen[3].fields["reason"]) == ("alice", "fine")


async def follows(tier: Tier) -> bool:
    return any(client["cmd"] == "xread" for client in await tier.redis.client_list())


# -- answers that count ------------------------------------------------------------------------


async def test_an_approval_is_recorded_as_it_was_given(tier: Tier) -> None:
    action_id = await parked(tier)
    record = await tier.approver().get(action_id)

    verdict = await tier.approver("alice").approve(
        action_id, digest=record.digest, reason="I looked at it ✓"
    )

    assert (verdict.outcome, verdict.decided_by) == (Outcome.APPROVED, ("alice",))
    assert verdict.reason == "I looked at it ✓"
    standing = await tier.record(action_id)
    assert (standing.state, standing.verdict) == (State.APPROVED, verdict)
    line = (await tier.audit(action_id))[-1]
    assert (line["event"], line["by"]) == ("approved", "alice")
    assert line["reason"] == verdict.reason


async def test_a_rejection_carries_its_reason(tier: Tier) -> None:
    action_id = await parked(tier)

    verdict = await tier.approver().reject(action_id, reason="not on a Friday")

    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "not on a Friday")
    assert (await tier.record(action_id)).state is State.REJECTED


async def test_an_approver_answers_in_their_own_fleets(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    submitted = await tier.client("ops").submit(high(fleet="ops"))

    assert (await tier.approver("olga", ["ops"]).approve(submitted.id)).allowed


async def test_the_first_of_two_answers_counts(tier: Tier) -> None:
    action_id = await parked(tier)
    tier.approver("alice"), tier.approver("bob")

    answers = await asyncio.gather(
        tier.approver("alice").approve(action_id),
        tier.approver("bob").reject(action_id, reason="no"),
        return_exceptions=True,
    )

    (late,) = [answer for answer in answers if isinstance(answer, GuardtierError)]
    (verdict,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert isinstance(late, WrongState)
    assert verdict == (await tier.record(action_id)).verdict


async def test_of_two_answers_by_one_client_each_learns_its_own_fate(tier: Tier) -> None:
    action_id, alice = await parked(tier), tier.approver("alice")

    approved, rejected = await asyncio.gather(
        alice.approve(action_id), alice.reject(action_id, reason="no"), return_exceptions=True
    )

    fates = {isinstance(approved, WrongState), isinstance(rejected, WrongState)}
    assert fates == {True, False}, (approved, rejected)


async def test_an_answer_that_may_be_on_its_way_says_what_to_look_at_before_it_is_repeated(
    own_server: EmbeddedRedis,
) -> None:
    action = high()
    async with ApproverClient(own_server.url, approver="alice", token="t") as alice:
        own_server.kill()

        with pytest.raises(TierUnavailable, match=r"; look at the action again before you repeat it$"):
            await alice.approve(action.placed_in(0).id, digest=action.digest, timeout=1)


def test_a_time_that_ran_out_is_told_in_words() -> None:
    assert trouble_of(TimeoutError()) == "Redis does not answer"
    assert trouble_of(ConnectionError("it is gone")) == "ConnectionError: it is gone"
