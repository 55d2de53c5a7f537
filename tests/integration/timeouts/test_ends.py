"""A parked action that nobody answers ends; of an answer and a timeout, one counts."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from desk import FLEET, verdict_on
from guardtier import ActionEvent, Outcome, State
from guardtier.errors import TierUnavailable
from guardtier.policy.terms import Terms
from guardtier_workers.steward import PAGE
from lateness import KEYS, Late
from waiting import until

# -- reject ------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [b"", b'{"on_timeout":"reject"}', b"no json", b'{"on_timeout":"party"}'])
async def test_by_the_usual_terms_and_by_such_that_cannot_be_read_it_expires(
    late: Late, terms: bytes
) -> None:
    action = await late.parked(terms)

    assert await late.steward.sweep() == 1

    assert await late.desk.state_of(action) == State.EXPIRED
    assert await late.halts() == {}
    assert await late.outbox() == []


async def test_a_record_that_cannot_be_read_holds_up_no_other(late: Late) -> None:
    broken, action = await late.parked(b""), await late.parked(b"")
    await late.desk.redis.hset(KEYS.action(broken.id), "assessment", "no json")

    await late.steward.sweep()

    assert await late.desk.state_of(broken) == State.PARKED
    assert await late.desk.state_of(action) == State.EXPIRED


async def test_many_records_that_cannot_be_read_hold_up_no_other(late: Late) -> None:
    action = await late.parked(b"")
    async with late.desk.redis.pipeline() as pipe:
        for number in range(2 * PAGE):
            pipe.hset(
                KEYS.action(f"b{number}.0"), mapping={"state": "parked", "event": "x", "assessment": "x"}
            )
            pipe.zadd(KEYS.parked, {f"b{number}.0": number})
        await pipe.execute()

    await late.steward.sweep()

    assert await late.desk.state_of(action) == State.EXPIRED


# -- an action that was edited meanwhile -------------------------------------------------------


async def test_an_edited_action_expires_under_the_digest_that_stands(late: Late) -> None:
    action = await late.parked(b"")
    seen = verdict_on(action, Outcome.EXPIRED)
    edited = "e" * 64
    await late.desk.redis.hset(KEYS.action(action.id), "digest", edited)

    done = await late.desk.ledger.expire(seen, fleet=FLEET, agent="agent-1", waiters="client-1")
    assert (done.what, done.more) == ("moved", (edited.encode(),))
    await late.steward.sweep()

    verdict = orjson.loads(await late.field(action, "verdict"))
    assert (verdict["outcome"], verdict["digest"]) == ("expired", edited)


# -- at the same moment ------------------------------------------------------------------------


async def test_of_an_answer_and_a_timeout_at_the_same_moment_one_counts(late: Late) -> None:
    for number in range(20):
        terms = Terms(on_timeout="halt") if number % 2 else b""
        action = await late.parked(terms, park_ms=3, conversation=f"talk-{number}")

        await asyncio.gather(
            late.desk.resolve(action, Outcome.APPROVED),
            late.steward.sweep(),
            late.steward.sweep(),
            return_exceptions=True,
        )
        await until(lambda of=action: over(late, of))

        ends = [event for event in await late.desk.events(action) if event in ("approved", "expired")]
        assert ends == [await late.desk.state_of(action)]
        halted = f"web agent-1 talk-{number}" in await late.halts()
        assert halted == (ends == ["expired"] and bool(number % 2))


async def over(late: Late, action: ActionEvent) -> bool:
    """Whether it ended; what is due by now is settled on the way."""
    await late.steward.sweep()
    return await late.desk.state_of(action) != State.PARKED


@pytest.mark.parametrize("on_timeout", ["wait", "halt"])
async def test_where_redis_refuses_writes_nothing_is_changed_by_halves(late: Late, on_timeout: Any) -> None:
    action = await late.parked(Terms(on_timeout=on_timeout, notify=("oncall",)))
    before = await late.desk.snapshot(action)
    await late.desk.redis.config_set("maxmemory", 1)
    desk = late.desk
    told = {"fleet": FLEET, "agent": "agent-1", "waiters": "client-1"}
    act = desk.expire(action) if on_timeout == "halt" else desk.ledger.extend(action.id, **told, park_ms=9)
    with pytest.raises(TierUnavailable):
        await act
    await desk.redis.config_set("maxmemory", 0)

    assert await late.desk.snapshot(action) == before
    assert await late.halts() == {}
    await late.steward.sweep()
    assert await late.desk.events(action) != ["assessed", "parked"]
