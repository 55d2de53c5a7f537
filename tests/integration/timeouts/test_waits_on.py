"""A parked action that nobody answers waits on, where its terms say so."""

from __future__ import annotations

import asyncio

import pytest

from desk import FLEET, Desk
from guardtier import Outcome, State
from guardtier.policy.terms import Terms
from guardtier.store.keys import ARQ_QUEUE
from lateness import KEYS, Late


async def test_one_that_keeps_waiting_gets_its_time_once_more_and_everybody_is_told(late: Late) -> None:
    terms = Terms(time_limit=300, on_timeout="wait", notify=("oncall",))
    action = await late.parked(terms)
    was = int(await late.field(action, "deadline"))

    assert await late.steward.sweep() == 1

    assert await late.desk.state_of(action) == State.PARKED
    deadline = int(await late.field(action, "deadline"))
    assert deadline >= was + 300_000
    assert await late.desk.redis.zscore(KEYS.parked, action.id) == deadline
    (line,) = await late.audit(action, "extended")
    assert (int(line[b"was"]), int(line[b"deadline"])) == (was, deadline)
    assert line[b"digest"].decode() == action.digest
    told = (await late.desk.replies())[-1]
    assert (told[b"state"], int(told[b"deadline"])) == (b"parked", deadline)
    ((op, body),) = await late.outbox()
    assert (op, body["event"]) == ("notice", "extended")
    assert await late.desk.redis.zscore(ARQ_QUEUE, f"expire:0:{deadline // 1000 + 1}")


async def test_one_with_hardly_any_time_waits_once_more_each_time_it_is_looked_at(late: Late) -> None:
    actions = [await late.parked(Terms(on_timeout="wait", time_limit=0.001)) for _ in range(9)]

    async with asyncio.timeout(90):
        assert await late.steward.sweep() == 9

    assert [len(await late.audit(action, "extended")) for action in actions] == [1] * 9


async def test_without_a_time_of_its_own_it_waits_for_that_of_its_fleet(late: Late) -> None:
    action = await late.parked(Terms(on_timeout="wait"))
    was = int(await late.field(action, "deadline"))

    await late.steward.sweep()

    assert int(await late.field(action, "deadline")) >= was + 3_600_000
    assert await late.outbox() == []  # nobody is to be told


async def test_of_many_stewards_one_extends(late: Late) -> None:
    action = await late.parked(Terms(time_limit=300, on_timeout="wait", notify=("oncall",)))

    await asyncio.gather(*(late.steward.sweep() for _ in range(5)))

    assert len(await late.audit(action, "extended")) == 1
    assert len(await late.outbox()) == 1


async def test_one_that_waits_on_can_be_answered_and_redeemed(late: Late) -> None:
    action = await late.parked(Terms(time_limit=300, on_timeout="wait"))
    assert (await late.desk.resolve(action, Outcome.APPROVED)).what == "late"

    await late.steward.sweep()

    assert (await late.desk.resolve(action, Outcome.APPROVED)).what == "approved"
    assert (await late.desk.redeem(action)).what == "redeemed"
    assert await late.steward.sweep() == 0


async def test_it_stays_on_the_list_of_what_its_agent_has_open(late: Late) -> None:
    action = await late.parked(Terms(time_limit=24 * 3600, on_timeout="wait"))
    before = await late.desk.redis.zscore(KEYS.open(FLEET, "agent-1"), action.id)

    await late.steward.sweep()

    assert await late.desk.redis.zscore(KEYS.open(FLEET, "agent-1"), action.id) > before + 23 * 3_600_000


@pytest.mark.parametrize("state", [None, *(state for state in State if state is not State.PARKED)])
async def test_nothing_but_a_parked_action_is_extended(desk: Desk, state: State | None) -> None:
    action = await desk.bring(state)
    before = await desk.snapshot(action)

    done = await desk.ledger.extend(action.id, fleet=FLEET, agent="agent-1", waiters="", park_ms=1)

    assert (done.what, done.state) == ("stale", state or "")
    assert await desk.snapshot(action) == before


async def test_one_whose_time_has_not_passed_is_not_extended(late: Late) -> None:
    action = await late.parked(b"", park_ms=60_000)
    before = await late.desk.snapshot(action)

    done = await late.desk.ledger.extend(action.id, fleet=FLEET, agent="agent-1", waiters="", park_ms=1)

    assert done.what == "early"
    assert await late.desk.snapshot(action) == before


async def test_a_client_that_came_meanwhile_is_told_of_the_new_deadline(late: Late) -> None:
    action = await late.parked(Terms(time_limit=300, on_timeout="wait"))
    await late.desk.poll(action, client="client-2")

    done = await late.desk.ledger.extend(
        action.id, fleet=FLEET, agent="agent-1", waiters="client-1", park_ms=1000
    )

    assert done.what == "extended"
    assert (await late.desk.replies("client-2"))[-1][b"deadline"].decode() == done.state
