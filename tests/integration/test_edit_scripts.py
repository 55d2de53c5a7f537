"""The scripts of edits, one step at a time: what is asked, rated, and takes effect once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desk import CLIENT, Desk
from editing_by_hand import NEW, asked, changed, edit, edit_of, rated, read, record, revision
from guardtier import ActionEvent, Outcome, State
from guardtier.policy.terms import Terms
from guardtier.store.keys import ANALYZERS, POLICIES


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
