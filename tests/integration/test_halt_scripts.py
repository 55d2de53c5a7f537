"""The scripts of halts, one step at a time: what they change, and where they change nothing."""

from __future__ import annotations

import asyncio

import pytest

from desk import CLIENT, FLEET, Desk, verdict_on
from guardtier import ActionEvent, State
from guardtier.errors import TierUnavailable
from guardtier.store.delivery import Delivery
from guardtier.store.keys import POLICIES
from guardtier.store.ledger import Transition

HALT, OTHER = b'{"reason":"stop","by":"olga","at":5}', b'{"reason":"other","by":"olga","at":6}'


async def asked(desk: Desk, name: str = "r1.0") -> Delivery:
    return await desk.given(desk.keys.answers, POLICIES, id=name)


async def halt(desk: Desk, entry: Delivery, halt: bytes = HALT, scope: str = FLEET) -> Transition:
    return await desk.ledger.halt(
        entry, scope=scope, fleet=scope.split(maxsplit=1)[0], halt=halt, by="olga", reason="stop"
    )


async def resume(desk: Desk, entry: Delivery, halt: bytes = HALT) -> Transition:
    return await desk.ledger.resume(
        entry, scope=FLEET, fleet=FLEET, halt=halt, by="olga", reason="", details=b"{}", told="console-1"
    )


async def stop(
    desk: Desk, action: ActionEvent, *, reject: bool = True, waiters: str = CLIENT, digest: str = ""
) -> Transition:
    return await desk.ledger.stop(
        action.id,
        fleet=FLEET,
        agent=action.agent,
        waiters=waiters,
        digest=digest or action.digest,
        scope=FLEET,
        halt=HALT,
        verdict=verdict_on(action, "rejected") if reject else None,
        by="olga",
        reason="stop",
        details=b"{}",
    )


async def spread(desk: Desk, *, at: int = 5) -> Transition:
    return await desk.ledger.spread(
        "a.1", scope=FLEET, fleet=FLEET, halt=HALT, at=at, by="olga", reason="stop"
    )


async def standing(desk: Desk) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = await desk.redis.hgetall(desk.keys.halts)
    return found


async def events(desk: Desk) -> list[bytes]:
    return [fields[b"event"] for _, fields in await desk.redis.xrange(desk.keys.audit)]


async def test_a_request_takes_effect_once_however_often_it_comes(desk: Desk) -> None:
    """Somebody who can write to the answers stream can't halt again what was resumed."""
    entry = await asked(desk)
    assert (await halt(desk, entry)).what == "halted"
    assert await halt(desk, entry, OTHER) == Transition("again", HALT.decode())
    await resume(desk, await asked(desk, "r2.0"))

    assert (await halt(desk, await asked(desk, "r1.0"))).what == "again"

    assert await standing(desk) == {}
    assert await events(desk) == [b"halted", b"resumed"]


async def test_a_resume_that_comes_once_more_lifts_no_later_halt(desk: Desk) -> None:
    await halt(desk, await asked(desk))
    assert (await resume(desk, await asked(desk, "r2.0"))).what == "resumed"
    await halt(desk, await asked(desk, "r3.0"))

    again = await asked(desk, "r2.0")
    assert (await resume(desk, again)).what == "again"

    assert await standing(desk) == {FLEET.encode(): HALT}
    assert not await desk.pending(again)
    told = await desk.redis.xrange(desk.keys.told("console-1"))
    assert [fields[b"body"] for _, fields in told] == [HALT, HALT]


async def test_only_the_halt_that_was_seen_is_lifted(desk: Desk) -> None:
    await halt(desk, await asked(desk), OTHER)
    entry = await asked(desk, "r2.0")

    for seen in (HALT, b""):
        assert (await resume(desk, entry, seen)).what == "moved"

    assert await standing(desk) == {FLEET.encode(): OTHER}
    assert await desk.pending(entry)


async def test_a_zombie_resumes_nothing_by_a_request_that_was_refused_meanwhile(desk: Desk) -> None:
    await halt(desk, await asked(desk))
    entry = await asked(desk, "r2.0")
    await desk.refuse(entry)

    assert (await resume(desk, entry)).what == "stale"

    assert await standing(desk) == {FLEET.encode(): HALT}


async def test_an_unknown_fleet_is_neither_halted_nor_resumed(desk: Desk) -> None:
    assert (await halt(desk, await asked(desk), scope="nobody")).what == "unknown"
    assert await standing(desk) == {}


async def test_a_halt_that_memory_has_no_room_for_is_not_half_there(desk: Desk) -> None:
    entry = await asked(desk)
    await desk.redis.config_set("maxmemory", 1)
    with pytest.raises(TierUnavailable, match="refuses writes"):
        await halt(desk, entry)
    await desk.redis.config_set("maxmemory", 0)

    assert (await standing(desk), await events(desk)) == ({}, [])
    assert (await halt(desk, entry)).what == "halted"


@pytest.mark.parametrize("state", [s for s in State if s is not State.PARKED])
async def test_only_what_is_parked_is_rejected_by_a_halt(desk: Desk, state: State) -> None:
    action = await desk.bring(state)
    await halt(desk, await asked(desk))
    before = await desk.snapshot(action)

    assert await stop(desk, action) == Transition("stale", state)
    assert await desk.snapshot(action) == before


async def test_a_parked_action_is_rejected_once(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await halt(desk, await asked(desk))

    done = await asyncio.gather(*(stop(desk, action) for _ in range(5)))

    assert sorted(transition.what for transition in done) == ["rejected", *["stale"] * 4]
    assert await desk.state_of(action) == State.REJECTED
    assert await desk.open_ids() == []
    assert await desk.redis.zcard(desk.keys.parked) == 0
    assert (await desk.events(action)).count("rejected") == 1


async def test_nothing_is_rejected_under_a_halt_that_was_lifted(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await halt(desk, await asked(desk), OTHER)

    assert (await stop(desk, action)).what == "lifted"
    assert await desk.state_of(action) == State.PARKED


async def test_an_action_that_was_edited_meanwhile_is_looked_at_again(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await halt(desk, await asked(desk))

    assert (await stop(desk, action, digest="0" * 64)).what == "digest"
    assert await desk.state_of(action) == State.PARKED


async def test_who_came_meanwhile_is_told_as_well(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await desk.poll(action, client="client-2")
    await halt(desk, await asked(desk))

    assert (await stop(desk, action)).what == "rejected"

    for client in (CLIENT, "client-2"):
        assert (await desk.replies(client))[-1][b"state"] == b"rejected"


async def test_where_nothing_is_rejected_the_record_stays_as_it_is(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await halt(desk, await asked(desk))
    before = (await desk.snapshot(action)).record

    assert (await stop(desk, action, reject=False)).what == "told"

    assert (await desk.snapshot(action)).record == before
    assert (await desk.replies())[-1][b"halted"] == HALT


async def test_a_halt_from_elsewhere_leaves_the_one_that_stands(desk: Desk) -> None:
    await halt(desk, await asked(desk), OTHER)

    assert (await spread(desk)).what == "again"
    assert await standing(desk) == {FLEET.encode(): OTHER}


async def test_a_halt_from_elsewhere_counts_unless_it_was_lifted_since(desk: Desk) -> None:
    assert (await spread(desk)).what == "halted"
    await resume(desk, await asked(desk))

    assert (await spread(desk)).what == "stale"
    assert (await spread(desk, at=2**50)).what == "halted"
