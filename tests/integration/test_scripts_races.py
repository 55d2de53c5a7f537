"""The scripts where others are quicker, memory is full, or the server has forgotten them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from desk import CLIENT, Desk
from guardtier import ActionEvent
from guardtier.errors import TierUnavailable
from guardtier.state import State
from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS, POLICIES
from guardtier.store.ledger import Transition

#: How each transition is written, from where it starts to the state that it leads to.
Written = Callable[[Desk, ActionEvent, Delivery | None], Awaitable[Transition]]
WRITES: dict[str, tuple[State | None, str, Written]] = {
    "assess": (None, "assessed", lambda d, a, e: d.assess(a, delivery=e)),
    "repeat": (State.RELEASED, "repeated", lambda d, a, e: d.assess(a, delivery=e)),
    "poll": (
        State.RELEASED,
        "told",
        lambda d, a, e: d.ledger.poll(e or _none(), client=CLIENT, agent=a.agent, conversation=""),
    ),
    "release": (State.ASSESSED, "released", lambda d, a, e: d.decide(a, "released", delivery=e)),
    "park": (State.ASSESSED, "parked", lambda d, a, e: d.decide(a, "parked", delivery=e)),
    "approve": (State.PARKED, "approved", lambda d, a, e: d.resolve(a, "approved", delivery=e)),
    "reject": (State.PARKED, "rejected", lambda d, a, e: d.resolve(a, "rejected", delivery=e)),
    "vote": (State.PARKED, "answered", lambda d, a, e: d.resolve(a, "answered", delivery=e)),
    "redeem": (State.APPROVED, "redeemed", lambda d, a, e: d.redeem(a, delivery=e)),
    "list": (State.PARKED, "listed", lambda d, a, e: d.listed(a, delivery=e)),
    "configure": (None, "configured", lambda d, a, e: d.configure(delivery=e)),
    "refuse": (None, "refused", lambda d, a, e: d.refuse(e or _none(), dead_letter="why")),
}


def _none() -> Delivery:
    raise AssertionError("no entry")


async def entry_for(desk: Desk, name: str, action: ActionEvent) -> Delivery:
    if name in ("release", "park"):
        return await desk.assessed_entry(action)
    if name in ("approve", "reject", "vote", "configure"):
        return await desk.given(desk.keys.answers, POLICIES, id=action.id)
    return await desk.asked(action, "any")


async def first_told(desk: Desk, client: str) -> list[bytes]:
    return [reply[b"state"] for reply in await desk.replies(client)]


# -- who waits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["released", "rejected", "parked"])
async def test_who_came_after_the_policy_worker_looked_is_told_as_well(desk: Desk, outcome: str) -> None:
    action = await desk.bring(State.ASSESSED)
    await desk.assess(action, client="client-2")

    done = await desk.decide(action, outcome, waiters=CLIENT)

    assert done.what == outcome
    assert (await first_told(desk, CLIENT))[-1] == outcome.encode()
    assert (await first_told(desk, "client-2"))[-1] == outcome.encode()
    assert (await desk.events(action)).count(outcome) == 1


@pytest.mark.parametrize("way", ["resolve", "expire"])
async def test_who_came_after_the_record_was_read_is_told_of_its_end(desk: Desk, way: str) -> None:
    action = await desk.bring(State.PARKED, park_ms=0 if way == "expire" else 60_000)
    await desk.poll(action, client="client-2")

    if way == "expire":
        done = await desk.expire(action, waiters=CLIENT)
    else:
        done = await desk.resolve(action, "approved", waiters=CLIENT)

    for client in (CLIENT, "client-2"):
        assert (await first_told(desk, client))[-1] == done.what.encode()


async def test_the_last_four_who_asked_are_told_each_once(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    for number in (2, 3, 4, 5, 5, 3):
        await desk.poll(action, client=f"client-{number}")

    await desk.resolve(action, "approved", waiters=CLIENT)

    record = await desk.redis.hgetall(desk.keys.action(action.id))
    assert record[b"waiters"] == b"client-2 client-4 client-5 client-3"
    for number in (2, 3, 4, 5):
        assert (await first_told(desk, f"client-{number}")).count(b"approved") == 1
    assert b"approved" not in await first_told(desk, CLIENT)


# -- somebody is quicker -----------------------------------------------------------------------


async def test_of_an_approval_a_rejection_and_another_one_counts(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    entries = [await desk.given(desk.keys.answers, POLICIES, id=action.id) for _ in range(9)]

    done = await asyncio.gather(
        *(
            desk.resolve(action, "rejected" if at % 2 else "approved", delivery=entry, seen=b"")
            for at, entry in enumerate(entries)
        )
    )

    stands = await desk.state_of(action)
    assert sorted(t.what for t in done) == sorted([stands, *["moved"] * 8])  # they look again
    assert {t.state for t in done} == {stands}


async def test_of_votes_at_the_same_moment_each_is_counted_with_the_others_seen(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    entries = [await desk.given(desk.keys.answers, POLICIES, id=action.id) for _ in range(5)]

    done = await asyncio.gather(
        *(desk.resolve(action, "answered", delivery=entry, seen=b"") for entry in entries)
    )

    assert sorted(t.what for t in done) == ["answered", *["moved"] * 4]
    assert await desk.events(action) == ["assessed", "parked", "answered"]
    assert await desk.state_of(action) == State.PARKED


async def test_a_zombie_that_parks_after_the_release_changes_nothing(desk: Desk) -> None:
    action = await desk.bring(State.ASSESSED)
    entry = await desk.assessed_entry(action)

    await desk.decide(action, "released", delivery=entry)
    late = await desk.decide(action, "parked", delivery=entry)

    assert late == Transition("stale", "released")
    assert await desk.redis.zcard(desk.keys.parked) == 0


@pytest.mark.parametrize("name", ["approve", "reject", "vote"])
async def test_a_zombie_lets_no_answer_take_effect_that_was_refused_meanwhile(
    desk: Desk, name: str
) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await desk.given(desk.keys.answers, POLICIES, id=action.id)
    await desk.refuse(delivery)
    before = await desk.snapshot(action)

    assert (await WRITES[name][2](desk, action, delivery)).what == "stale"

    assert await desk.snapshot(action) == before


async def test_a_zombie_refuses_nothing_that_took_effect_meanwhile(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await desk.given(desk.keys.answers, POLICIES, id=action.id)
    await desk.resolve(action, "approved", delivery=delivery)
    before = await desk.snapshot(action)

    assert (await desk.refuse(delivery)).what == "again"

    assert await desk.snapshot(action) == before


async def test_nor_a_policy(desk: Desk) -> None:
    delivery = await desk.given(desk.keys.answers, POLICIES, id="r1.0")
    await desk.refuse(delivery)

    assert (await desk.configure(delivery=delivery)).what == "stale"

    assert await desk.redis.hgetall(desk.keys.policies) == {}


async def test_a_ghost_in_the_confirmation_set_is_removed(desk: Desk) -> None:
    action = await desk.bring(None)
    await desk.redis.zadd(desk.keys.parked, {action.id: 1})

    assert await desk.expire(action) == Transition("stale", "")
    assert await desk.redis.zcard(desk.keys.parked) == 0


# -- memory is full ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITES)
async def test_a_refused_write_writes_nothing_and_acknowledges_nothing(desk: Desk, name: str) -> None:
    source, target, write = WRITES[name]
    action = await desk.bring(source)
    entry = await entry_for(desk, name, action)
    before = await desk.snapshot(action)

    await desk.redis.config_set("maxmemory", 1)
    with pytest.raises(TierUnavailable, match="refuses writes"):
        await write(desk, action, entry)
    assert await desk.snapshot(action) == before
    assert await desk.pending(entry)

    await desk.redis.config_set("maxmemory", 0)
    assert (await write(desk, action, entry)).what == target
    assert not await desk.pending(entry)


async def test_a_refused_expiry_leaves_the_action_parked(desk: Desk) -> None:
    action = await desk.bring(State.PARKED, park_ms=0)
    before = await desk.snapshot(action)

    await desk.redis.config_set("maxmemory", 1)
    with pytest.raises(TierUnavailable, match="refuses writes"):
        await desk.expire(action)
    assert await desk.snapshot(action) == before

    await desk.redis.config_set("maxmemory", 0)
    assert (await desk.expire(action)).what == "expired"


# -- the server has forgotten the scripts ------------------------------------------------------


@pytest.mark.parametrize("name", WRITES)
async def test_a_script_that_the_server_forgot_is_loaded_again(desk: Desk, name: str) -> None:
    source, target, write = WRITES[name]
    action = await desk.bring(source)
    entry = await entry_for(desk, name, action)

    await desk.redis.script_flush()

    assert (await write(desk, action, entry)).what == target


async def test_a_batch_of_which_each_needs_loading_keeps_its_order(desk: Desk) -> None:
    actions = [desk.action() for _ in range(20)]
    entries = [await desk.asked(action, "submit") for action in actions]

    await desk.redis.script_flush()
    done = await asyncio.gather(
        *(desk.assess(a, delivery=e) for a, e in zip(actions, entries, strict=True))
    )

    assert {t.what for t in done} == {"assessed"}
    rated: list[Any] = await desk.redis.xrange(desk.keys.assessed)
    assert [fields[b"id"].decode() for _, fields in rated] == [action.id for action in actions]
    assert not await desk.redis.xpending_range(
        desk.keys.actions("web"), ANALYZERS, min="-", max="+", count=1
    )
