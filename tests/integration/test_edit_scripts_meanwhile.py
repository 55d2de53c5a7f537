"""The scripts of edits, where something else comes first or meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from desk import CLIENT, FLEET, Desk, verdict_on
from editing_by_hand import SAFE, changed, rated, record, revision
from guardtier import Outcome, State
from guardtier.errors import EditRefused
from guardtier.store.keys import ANALYZERS
from guardtier.store.ledger import Circumstances, Decision


@pytest.mark.parametrize("way", ["approved", "rejected", "expired", "late", "another", "gone"])
async def test_what_came_first_stands(desk: Desk, way: str) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await rated(desk, action)
    made = await revision(desk, action)
    key = desk.keys.action(action.id)
    if way in ("approved", "rejected"):
        await desk.resolve(action, way)
    elif way == "another":
        await desk.redis.hset(key, "digest", "0" * 64)
    elif way == "gone":
        await desk.redis.delete(key)
    else:
        await desk.redis.hset(key, "deadline", 1)
        if way == "expired":
            await desk.expire(action)
    before = await desk.snapshot(action)

    done = await desk.ledger.revise(delivery, made, waiters=CLIENT)

    expected = {"late": "late", "another": "digest", "gone": "edit"}
    assert done.what == expected.get(way, "wrong")
    assert await desk.snapshot(action) == before
    assert await desk.pending(delivery)


#: What may stand when an edit takes effect, how it is put there, and its place among the circumstances.
STANDING: dict[str, tuple[int, Any]] = {
    "a policy": (0, lambda d, a: d.redis.hset(d.keys.policies, FLEET, "x")),
    "a policy file": (1, lambda d, a: d.redis.hset(d.keys.policies, "*", "x")),
    "a long policy": (0, lambda d, a: d.redis.hset(d.keys.policies, FLEET, "x" * 5000)),
    "policies of another type": (0, lambda d, a: d.redis.set(d.keys.policies, "x")),
    "a halted fleet": (2, lambda d, a: d.redis.hset(d.keys.halts, FLEET, "x")),
    "a halted agent": (2, lambda d, a: d.redis.hset(d.keys.halts, f"{FLEET} {a.agent}", "x")),
    "a halted conversation": (2, lambda d, a: d.redis.hset(d.keys.halts, f"{FLEET} {a.agent} c1", "x")),
    "halts of another type": (2, lambda d, a: d.redis.set(d.keys.halts, "x")),
    "a block": (3, lambda d, a: d.redis.set(d.keys.block(changed(a).digest), "x")),
    "a block of another type": (3, lambda d, a: d.redis.sadd(d.keys.block(changed(a).digest), "x")),
}


@pytest.mark.parametrize("what", STANDING)
async def test_no_edit_takes_effect_under_other_circumstances(desk: Desk, what: str) -> None:
    place, put = STANDING[what]
    action = desk.action(conversation="c1")
    await desk.assess(action)
    await desk.decide(action, State.PARKED)
    delivery = await rated(desk, action)
    await put(desk, action)
    before = await desk.snapshot(action) if "policies of" not in what else None

    done = await desk.ledger.revise(delivery, await revision(desk, action), waiters=CLIENT)

    assert done.what == "moved"
    assert done.more[place] in (b"x", b"!")
    if before is not None:
        assert await desk.snapshot(action) == before
    under = Circumstances(*done.more)
    again = await desk.ledger.revise(delivery, await revision(desk, action, under=under), waiters=CLIENT)
    assert again.what == "approved"


@pytest.mark.parametrize("what", STANDING)
async def test_edits_see_the_circumstances_that_decisions_see(desk: Desk, what: str) -> None:
    parked = desk.action(conversation="c1")
    await desk.assess(parked)
    await desk.decide(parked, State.PARKED)
    delivery = await rated(desk, parked)
    fresh = desk.action(conversation="c1", arguments=SAFE)
    await desk.assess(fresh)
    await STANDING[what][1](desk, parked)

    revised = await desk.ledger.revise(delivery, await revision(desk, parked), waiters=CLIENT)
    decided = await desk.decided(
        fresh, Decision("released", "test:1", verdict_on(fresh, Outcome.RELEASED)), waiters=CLIENT
    )

    assert (revised.what, decided.what) == ("moved", "moved")
    assert revised.more == decided.more[:4]


async def test_who_began_to_wait_meanwhile_is_told_too(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await rated(desk, action)
    await desk.poll(action, client="client-2")

    await desk.ledger.revise(delivery, await revision(desk, action), waiters=CLIENT)

    for client in (CLIENT, "client-2"):
        assert (await desk.replies(client))[-1][b"state"] == b"approved"


async def test_a_dropped_edit_is_told_once_and_leaves_the_action_as_it_was(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    before = await record(desk, action)
    delivery = await rated(desk, action)
    kept = (await record(desk, action))["edit"]
    said = {"told": "console-1", "approver": "alice", "error": EditRefused("no")}

    assert (await desk.ledger.drop_edit(delivery, edit=b'{"proof":"other"}', **said)).what == "moved"
    assert (await desk.ledger.drop_edit(delivery, edit=kept, **said)).what == "dropped"
    assert (await desk.ledger.drop_edit(delivery, edit=kept, **said)).what == "dropped"

    assert await record(desk, action) == before
    assert await desk.events(action) == ["assessed", "parked", "edit_refused"]
    assert len(await desk.redis.xrange(desk.keys.told("console-1"))) == 1
    assert not await desk.pending(delivery)


async def test_an_approved_edit_is_redeemed_by_who_takes_edits(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await desk.ledger.revise(await rated(desk, action), await revision(desk, action), waiters=CLIENT)

    assert (await desk.redeem(action)).what == "edited"
    takes = await desk.given(
        desk.keys.actions(FLEET), ANALYZERS, id=action.id, client=CLIENT, op="redeem", accepts="edit"
    )
    assert (await desk.redeem(action, delivery=takes)).what == "redeemed"


async def test_an_edit_that_stands_is_not_acknowledged_away_by_who_has_not_seen_it(desk: Desk) -> None:
    """Who looks at a master that is none any more sees an action without its edit."""
    action = await desk.bring(State.PARKED)
    delivery = await rated(desk, action)

    assert (await desk.ledger.drop_edit(delivery)).what == "moved"
    assert (await desk.redis.xpending(delivery.stream, delivery.group))["pending"] == 1
    assert (await record(desk, action))["edit"]
