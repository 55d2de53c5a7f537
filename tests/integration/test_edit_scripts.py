"""The scripts of edits, one step at a time: what is repeated, late or in a race changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desk import CLIENT, CONSUMER, FLEET, Desk, verdict_on
from guardtier import ActionEvent, Assessment, Outcome, SecurityRisk, State
from guardtier.errors import EditRefused
from guardtier.policy.edit import Edit
from guardtier.policy.terms import Terms
from guardtier.store.delivery import Delivery
from guardtier.store.edits import Revision
from guardtier.store.keys import ANALYZERS, POLICIES
from guardtier.store.ledger import Circumstances, Decision, Transition

SAFE = {"command": "ls"}
NEW = Assessment(risk=SecurityRisk.LOW)


def changed(action: ActionEvent) -> ActionEvent:
    return action.model_copy(update={"arguments": SAFE})


def edit_of(action: ActionEvent, delivery: Delivery, *, proof: str = "p1") -> Edit:
    return Edit(
        proof=proof,
        approver="alice",
        principal="alice",
        client="console-1",
        entry=delivery.entry,
        at=1,
        was=action.digest,
        digest=changed(action).digest,
    )


async def edit(desk: Desk, action: ActionEvent, **options: Any) -> Transition:
    delivery = options.pop("delivery", None) or await asked(desk, action)
    proof = options.pop("proof", "p1")
    said = {
        "fleet": FLEET,
        "told": "console-1",
        "seen": action.digest,
        "edit": edit_of(action, delivery, proof=proof).to_json(),
        "proof": proof,
        "event": changed(action).to_json(),
        "body": b"",
    }
    return await desk.ledger.edit(delivery, **said | options)


async def asked(desk: Desk, action: ActionEvent) -> Delivery:
    return await desk.given(desk.keys.answers, POLICIES, id=action.id, op="edit")


async def read(desk: Desk, stream: str, group: str) -> Delivery | None:
    """The newest entry of a work stream, handed to our worker."""
    reply = await desk.redis.xreadgroup(group, CONSUMER, {stream: ">"})
    entries = [entry for _, found in reply for entry in found]
    if not entries:
        return None
    entry, fields = entries[-1]
    return Delivery(0, stream, group, entry.decode(), fields)


async def rated(desk: Desk, action: ActionEvent) -> Delivery:
    """A parked action whose edit has been rated: the entry for the policy worker."""
    await edit(desk, action)
    delivery = await read(desk, desk.keys.edits, ANALYZERS)
    assert delivery is not None
    assert (await desk.ledger.rated(delivery, changed(action), NEW)).what == "rated"
    found = await read(desk, desk.keys.assessed, POLICIES)
    assert found is not None
    return found


async def revision(desk: Desk, action: ActionEvent, *, parked: bool = False, **more: Any) -> Revision:
    verdict = verdict_on(changed(action), Outcome.APPROVED).model_copy(
        update={"edited_from": action.digest, "arguments": SAFE}
    )
    made = Revision(
        edit=await desk.redis.hget(desk.keys.action(action.id), "edit") or b"",
        proof="p1",
        told="console-1",
        approver="alice",
        reason="",
        action=changed(action),
        event=changed(action).to_json(),
        assessment=NEW,
        policy="test:2",
        terms=b"",
        votes=b"[1]",
        verdict=None if parked else verdict,
        body=b"{}",
        details=b"",
        under=Circumstances(),
    )
    return replace(made, **more)


async def record(desk: Desk, action: ActionEvent) -> dict[str, bytes]:
    found = await desk.redis.hgetall(desk.keys.action(action.id))
    return {name.decode(): value for name, value in found.items()}


@pytest.mark.parametrize("state", [state for state in State if state is not State.PARKED] + [None])
async def test_only_what_is_parked_is_edited(desk: Desk, state: State | None) -> None:
    action = await desk.bring(state)
    before = await desk.snapshot(action)
    delivery = await asked(desk, action)

    done = await edit(desk, action, delivery=delivery)

    assert (done.what, done.state) == ("wrong", state or "")
    assert await desk.snapshot(action) == before
    assert await desk.pending(delivery)  # its sender is to be told first


async def test_an_edit_of_another_digest_or_after_the_deadline_is_none(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    assert (await edit(desk, action, seen="0" * 64)).what == "digest"

    late = await desk.bring(State.PARKED, park_ms=0)
    assert (await edit(desk, late)).what == "late"
    assert await desk.redis.xlen(desk.keys.edits) == 0


async def test_the_same_edit_twice_is_rated_once_and_another_waits(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    first = await asked(desk, action)

    assert (await edit(desk, action, delivery=first)).what == "editing"
    assert (await edit(desk, action, delivery=first)).what == "editing"
    second = await asked(desk, action)
    assert (await edit(desk, action, delivery=second)).what == "editing"
    assert (await edit(desk, action, proof="p2")).what == "busy"

    assert await desk.redis.xlen(desk.keys.edits) == 1
    assert (await record(desk, action))["asking"].decode() == f"{first.entry} {second.entry}"
    assert not await desk.pending(first)


async def test_an_edit_whose_rating_was_lost_gives_way(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await asked(desk, action)
    lost = edit_of(action, delivery).model_copy(update={"entry": "1-0"})
    await desk.redis.hset(desk.keys.action(action.id), "edit", lost.to_json())

    assert (await edit(desk, action, delivery=delivery, proof="p2")).what == "editing"

    assert await desk.redis.xlen(desk.keys.edits) == 1


async def test_a_rating_that_nobody_waits_for_is_dropped(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await edit(desk, action)
    delivery = await read(desk, desk.keys.edits, ANALYZERS)
    assert delivery is not None
    await desk.redis.hdel(desk.keys.action(action.id), "edit")
    before = await desk.snapshot(action)

    assert (await desk.ledger.rated(delivery, changed(action), NEW)).what == "stale"

    assert await desk.snapshot(action) == before
    assert not await desk.pending(delivery)


async def test_an_edit_takes_effect_once(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await rated(desk, action)
    made = await revision(desk, action)

    assert (await desk.ledger.revise(delivery, made, waiters=CLIENT)).what == "approved"
    before = await desk.snapshot(action)
    assert (await desk.ledger.revise(delivery, made, waiters=CLIENT)).what == "edit"

    found = await record(desk, action)
    assert await desk.snapshot(action) == before
    assert found["digest"].decode() == changed(action).digest
    assert found["asked"].decode() == action.digest
    assert found["original"] == action.to_json()
    assert found["assessment"] == NEW.to_json()
    assert not {"edit", "asking"} & found.keys()
    assert await desk.events(action) == ["assessed", "parked", "edited", "approved"]
    assert [told[b"state"] for told in await desk.replies()] == [b"parked", b"approved"]
    assert await desk.open_ids() == [action.id]
    assert await desk.redis.zscore(desk.keys.parked, action.id) is None
    assert not await desk.pending(delivery)


async def test_what_stays_parked_keeps_its_deadline_and_is_told(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    deadline = await desk.redis.zscore(desk.keys.parked, action.id)
    delivery = await rated(desk, action)

    made = await revision(desk, action, parked=True, outbox=(("notice", b"n"),))
    done = await desk.ledger.revise(delivery, made, waiters=CLIENT)

    found = await record(desk, action)
    ((_, left),) = await desk.redis.xrange(desk.keys.outbox)
    assert left == {b"id": action.id.encode(), b"op": b"notice", b"body": b"n"}
    assert done.what == "parked"
    assert (found["state"], found["votes"], found["policy"]) == (b"parked", b"[1]", b"test:2")
    assert await desk.redis.zscore(desk.keys.parked, action.id) == deadline
    assert await desk.events(action) == ["assessed", "parked", "edited"]
    told = await desk.redis.xrange(desk.keys.told("console-1"))
    assert [fields[b"body"] for _, fields in told] == [b"{}"]


async def test_votes_on_the_action_as_it_was_count_no_more(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await desk.redis.hset(desk.keys.action(action.id), mapping={"votes": "old", "terms": "old"})
    delivery = await rated(desk, action)
    made = await revision(desk, action, parked=True, votes=b"", terms=b"new")
    before = await desk.snapshot(action)

    unseen = await desk.ledger.revise(delivery, made, waiters=CLIENT)  # its editor's may be among them
    assert (unseen.what, unseen.more) == ("moved", ())
    assert await desk.snapshot(action) == before
    await desk.ledger.revise(delivery, replace(made, seen=b"old"), waiters=CLIENT)

    found = await record(desk, action)
    assert "votes" not in found
    assert found["terms"] == b"new"


async def test_an_answer_counted_before_an_edit_and_its_undoing_does_not_count_under_the_new_terms(
    desk: Desk,
) -> None:
    action = await desk.bring(State.PARKED)
    delivery = await asked(desk, action)  # its worker counts it, and stands still for a while
    under_new = {"parked": True, "votes": b"", "terms": Terms(approve=2).to_json()}
    made = await revision(desk, action, **under_new, edit=await being_rated(desk, action))
    first = await desk.given(desk.keys.assessed, POLICIES, id=action.id)
    assert (await desk.ledger.revise(first, made, waiters=CLIENT)).what == "parked"
    back = edit_of(action, delivery, proof="p2").model_copy(
        update={"was": changed(action).digest, "digest": action.digest}
    )
    await edit(desk, action, seen=changed(action).digest, edit=back.to_json(), proof="p2")
    made = replace(made, action=action, event=action.to_json(), edit=back.to_json(), proof="p2")
    second = await desk.given(desk.keys.assessed, POLICIES, id=action.id)
    assert (await desk.ledger.revise(second, made, waiters=CLIENT)).what == "parked"
    before = await desk.snapshot(action)

    done = await desk.resolve(action, Outcome.APPROVED, delivery=delivery, seen=b"", revised="")

    assert done.what == "moved"
    assert await desk.snapshot(action) == before
    assert await desk.pending(delivery)


async def being_rated(desk: Desk, action: ActionEvent) -> bytes:
    await edit(desk, action)
    return (await record(desk, action))["edit"]


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
