"""Budgets: an agent that asks too much, or is rejected too often, is halted in the same step."""

from __future__ import annotations

import asyncio
from time import time
from typing import Any

import pytest

from desk import HOUR_MS, Desk, verdict_on
from guardtier import State
from guardtier.policy.block import Block
from guardtier.policy.halts import BREAKER, OVER_PACE, OVER_REJECTIONS, Halt
from guardtier.store.decisions import Limits
from guardtier.store.keys import Keys, partition_for
from guardtier.store.ledger import Decision
from guardtier.verdict import Outcome
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)
PACE = Halt(reason="too much", by=BREAKER, at=1, finding=OVER_PACE, scope="web agent-1").to_json()
ROW = Halt(reason="too bad", by=BREAKER, at=1, finding=OVER_REJECTIONS, scope="web agent-1").to_json()


def halted(tier: Tier) -> Any:
    return tier.operator().halts()


async def lines_of(tier: Tier, event: str) -> list[dict[str, str]]:
    return [line for line in await tier.audit() if line["event"] == event]


# -- in a tier -----------------------------------------------------------------------------------


async def test_an_agent_over_its_budget_is_halted_with_a_finding(start_tier: StartTier) -> None:
    tier = await start_tier(budget={"actions_a_minute": 3})
    client = tier.client()
    for n in range(3):
        assert (await client.submit(low(f"echo {n}"))).state is State.RELEASED

    over = await client.submit(low("echo 4"))

    record = await tier.record(over.id)
    assert over.is_waiting
    assert "more than 3 actions a minute" in (over.halted or "")
    assert record.assessment.findings[0].id == OVER_PACE
    (halt,) = await halted(tier)
    assert (halt.scope.key, halt.halt.by) == ("web agent-1", BREAKER)
    (line,) = await lines_of(tier, "halted")
    assert (line["by"], line["id"]) == (BREAKER, over.id)
    assert (await client.submit(low(agent="agent-2"))).state is State.RELEASED


async def test_it_begins_anew_when_somebody_resumes_it(start_tier: StartTier) -> None:
    tier = await start_tier(budget={"actions_a_minute": 2, "then": "reject"})
    client = tier.client()
    states = [(await client.submit(low(f"echo {n}"))).state for n in range(4)]
    assert states == [State.RELEASED, State.RELEASED, State.REJECTED, State.REJECTED]

    await tier.operator().resume("web", agent="agent-1")

    again = [(await client.submit(low(f"echo {n}"))).state for n in range(3)]
    assert again == [State.RELEASED, State.RELEASED, State.REJECTED]


async def test_a_burst_over_several_workers_lets_no_more_through_than_the_budget(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(policies=4, budget={"actions_a_minute": 10})
    client = tier.client()

    found = await asyncio.gather(*(client.submit(low(f"echo {n}")) for n in range(60)))

    assert [status.state for status in found].count(State.RELEASED) == 10
    assert len(await lines_of(tier, "halted")) == 1


async def test_a_fleet_may_have_a_budget_of_its_own(start_tier: StartTier) -> None:
    tier = await start_tier(
        budget={"actions_a_minute": 1},
        fleets={"web": {"budget": {"actions_a_minute": 100}}, "ops": {}},
    )
    web, ops = tier.client(), tier.client("ops")

    assert [(await web.submit(low(f"echo {n}"))).state for n in range(2)] == [State.RELEASED] * 2
    assert [(await ops.submit(low(f"echo {n}", fleet="ops"))).state for n in range(2)] == [
        State.RELEASED,
        State.PARKED,
    ]


async def test_a_trip_counts_in_the_other_partitions(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2, budget={"actions_a_minute": 1})
    here, there = (
        tier.client(client_id=next(f"c-{n}" for n in range(100) if partition_for(f"c-{n}", 2) == p))
        for p in (0, 1)
    )
    await here.submit(low("echo 1"))

    await here.submit(low("echo 2"))

    await until(lambda: tier.redis.hexists(Keys(1).halts, "web agent-1"))
    assert (await there.submit(low("echo 3"))).is_waiting


async def test_what_people_reject_counts_and_an_approval_ends_the_row(start_tier: StartTier) -> None:
    tier = await start_tier(budget={"rejected_in_a_row": 2})
    client, alice = tier.client(), tier.approver()

    async def answered(command: str, *, approve: bool = False) -> None:
        parked = await client.submit(high(command))
        if approve:
            await alice.approve(parked.id)
        else:
            await alice.reject(parked.id, reason="no")

    await answered("rm -rf ~/1")
    await answered("rm -rf ~/2", approve=True)
    await answered("rm -rf ~/3")
    assert (await client.submit(low())).state is State.RELEASED
    await answered("rm -rf ~/4")

    held = await client.submit(low())

    assert held.is_waiting
    assert (await tier.record(held.id)).assessment.findings[0].id == OVER_REJECTIONS
    assert "2 rejections in a row" in (held.halted or "")


# -- in the script -------------------------------------------------------------------------------


async def decided(desk: Desk, outcome: str, **limits: Any) -> str:
    """One action decided so; 'moved' where the breaker tripped."""
    action = desk.action()
    await desk.assess(action)
    verdict = None if outcome == State.PARKED else verdict_on(action, outcome)
    made = Limits(over_pace=PACE, over_rejections=ROW, **limits)
    decision = Decision(outcome, "test:1", verdict, HOUR_MS, limits=made)
    return (await desk.decided(action, decision)).what


async def test_so_many_rejections_in_a_row_trip_whatever_is_released_between(desk: Desk) -> None:
    steps = ["rejected", "released", "rejected", "released", "parked"]
    for outcome in steps:
        assert await decided(desk, outcome, in_a_row=3) == outcome
    assert await decided(desk, "rejected", in_a_row=3) == "rejected"

    assert await decided(desk, "released", in_a_row=3) == "moved"
    stands = Halt.read(await desk.redis.hget(desk.keys.halts, "web agent-1"))
    assert stands is not None
    assert stands.finding == OVER_REJECTIONS


async def test_a_trip_leaves_the_action_to_be_decided_under_the_halt(desk: Desk) -> None:
    assert await decided(desk, "released", a_minute=1, spread=True) == "released"
    action = desk.action()
    await desk.assess(action)
    entry = await desk.assessed_entry(action)
    made = Limits(1, 0, PACE, ROW, spread=True)
    decision = Decision("released", "test:1", verdict_on(action, "released"), limits=made)

    first = await desk.decided(action, decision, delivery=entry)
    second = await desk.decided(action, decision, delivery=entry)  # as after a broken connection

    stands = await desk.redis.hget(desk.keys.halts, "web agent-1") or b""
    assert (first.what, first.more) == ("moved", (b"", b"", stands, b""))
    assert Halt.model_validate_json(stands).model_copy(update={"at": 1}).to_json() == PACE
    assert second == first
    assert await desk.state_of(action) == State.ASSESSED
    (posted,) = await desk.redis.xrange(desk.keys.outbox)
    assert (posted[1][b"op"], posted[1][b"body"]) == (b"halt", stands)
    assert await desk.events(action) == ["assessed", "halted"]


async def test_where_too_many_agents_are_halted_a_trip_halts_the_fleet(desk: Desk) -> None:
    await desk.redis.hset(desk.keys.halts, mapping={f"web agent{n}": "{}" for n in range(10_000)})
    assert await decided(desk, "released", a_minute=1, spread=True) == "released"

    assert await decided(desk, "released", a_minute=1, spread=True) == "moved"

    halt = Halt.model_validate_json(await desk.redis.hget(desk.keys.halts, "web") or b"")
    assert (halt.scope, halt.by) == ("web", BREAKER)
    ((_, posted),) = await desk.redis.xrange(desk.keys.outbox)
    assert Halt.model_validate_json(posted[b"body"]) == halt
    assert await desk.redis.hlen(desk.keys.halts) == 10_001


async def test_a_trip_counts_elsewhere_though_the_workers_clock_is_behind_that_of_a_resume(
    desk: Desk,
) -> None:
    assert await decided(desk, "released", a_minute=1, spread=True) == "released"
    await desk.redis.set(desk.keys.lifted("web agent-1"), int(time() * 1000))
    assert await decided(desk, "released", a_minute=1, spread=True) == "moved"
    ((_, posted),) = await desk.redis.xrange(desk.keys.outbox)
    await desk.redis.delete(desk.keys.halts)  # as in another partition

    halt = Halt.model_validate_json(posted[b"body"])
    said = {"scope": "web agent-1", "fleet": "web", "halt": posted[b"body"], "by": halt.by, "reason": ""}
    assert (await desk.ledger.spread("a.1", at=halt.at, **said)).what == "halted"


async def test_an_action_that_is_delivered_twice_counts_once(desk: Desk) -> None:
    action = desk.action()
    await desk.assess(action)
    entry = await desk.assessed_entry(action)
    decision = Decision("released", "t", verdict_on(action, "released"), limits=Limits(5, 0, PACE, ROW))
    for _ in range(3):
        await desk.decided(action, decision, delivery=entry)

    assert await desk.redis.hget(desk.keys.pace("web", "agent-1"), "c") == b"1"


async def test_without_a_budget_nothing_is_counted(desk: Desk) -> None:
    await decided(desk, "rejected")

    assert await desk.redis.exists(desk.keys.pace("web", "agent-1")) == 0


async def test_what_is_counted_is_forgotten_in_time(desk: Desk) -> None:
    await decided(desk, "released", a_minute=5)

    assert 0 < await desk.redis.pttl(desk.keys.pace("web", "agent-1")) <= 86_400_000


@pytest.mark.parametrize(("ago", "what"), [(1, "moved"), (2, "released")])
async def test_the_minute_of_the_clock_before_counts_for_what_is_left_of_it(
    desk: Desk, ago: int, what: str
) -> None:
    minute = (await desk.redis.time())[0] // 60
    pace = {"m": minute - ago, "c": 10**9, "p": 0}
    await desk.redis.hset(desk.keys.pace("web", "agent-1"), mapping=pace)

    came = await decided(desk, "released", a_minute=3)

    assert came == what or (await desk.redis.time())[0] // 60 != minute  # it ended meanwhile


# -- blocks --------------------------------------------------------------------------------------


async def test_a_retry_of_what_was_rejected_is_refused_with_the_same_reason(tier: Tier) -> None:
    """The block is what ``resolve.lua`` leaves behind."""
    block = Block(reason="use the staging host", by="alice", id="a1.0", until=2**50)
    action = low()
    await tier.redis.set(KEYS.block(action.digest), block.model_dump_json())

    verdict = await tier.client().check(action)

    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "use the staging host")
    assert verdict.rules == ("block",)
    assert verdict.findings[0].id == "action.blocked"
    assert (await tier.client().check(low("pwd"))).allowed


@pytest.mark.parametrize("garbage", [b"{}", b"!", b"\xff", b"x" * 10_000])
async def test_a_block_that_can_not_be_read_parks_it(tier: Tier, garbage: bytes) -> None:
    action = low()
    await tier.redis.set(KEYS.block(action.digest), garbage)

    assert (await tier.client().submit(action)).is_waiting


async def test_a_blocked_action_that_is_also_halted_is_rejected(tier: Tier) -> None:
    await tier.operator().halt("web", reason="stop")
    block = Block(reason="never", by="alice", id="a1.0", until=2**50)
    action = low()
    await tier.redis.set(KEYS.block(action.digest), block.model_dump_json())

    assert (await tier.client().check(action)).reason == "never"
