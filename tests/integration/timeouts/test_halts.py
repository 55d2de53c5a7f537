"""A parked action that nobody answers halts its conversation or its agent."""

from __future__ import annotations

import orjson
import pytest

from desk import FLEET, Desk, verdict_on
from guardtier import Outcome, State
from guardtier.policy.halts import Halt
from guardtier.policy.terms import Terms
from guardtier.store.decisions import HaltLeft
from guardtier.store.ledger import Decision
from lateness import KEYS, Late
from tier import StartTier


@pytest.mark.parametrize(
    ("conversation", "scope"), [("talk-1", "web agent-1 talk-1"), (None, "web agent-1")]
)
async def test_one_that_halts_ends_and_halts_its_conversation_or_its_agent(
    late: Late, conversation: str | None, scope: str
) -> None:
    action = await late.parked(Terms(on_timeout="halt"), conversation=conversation)

    assert await late.steward.sweep() == 1

    assert await late.desk.state_of(action) == State.EXPIRED
    halts = await late.halts()
    assert list(halts) == [scope]
    assert halts[scope]["by"] == "guardtier.timeout"
    assert action.id in halts[scope]["reason"]
    (line,) = await late.audit(action, "halted")
    assert (line[b"by"], orjson.loads(line[b"details"])) == (b"guardtier.timeout", halts[scope])
    assert halts[scope]["scope"] == scope
    assert await late.outbox() == []  # there is no other partition


async def test_other_partitions_are_to_halt_it_too(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=0, partitions=2)
    await tier.upkeep.prepare(["web"])
    desk = Desk(tier.redis)
    action = desk.action()
    await desk.assess(action)
    terms = Terms(on_timeout="halt").to_json()
    await desk.decided(action, Decision("parked", "test:1", park_ms=0, terms=terms))

    await tier.steward().sweep()

    ((_, entry),) = await tier.redis.xrange(KEYS.outbox)
    assert (entry[b"op"], entry[b"body"]) == (b"halt", await tier.redis.hget(KEYS.halts, "web agent-1"))
    await desk.close()


async def test_where_too_many_halts_stand_the_fleet_is_halted_instead(late: Late) -> None:
    await late.desk.redis.hset(KEYS.halts, mapping={f"web agent-1 c{n}": "{}" for n in range(10_000)})
    both = [await late.parked(Terms(on_timeout="halt"), conversation=name) for name in ("talk-1", "talk-2")]

    assert await late.steward.sweep() == 2

    halts = await late.halts()
    assert len(halts) == 10_001
    halt = Halt.model_validate(halts[FLEET])
    assert (halt.scope, halt.then) == (FLEET, "reject")
    # Of two that were parked within one millisecond, either is the first.
    named, other = sorted(both, key=lambda action: action.id not in halt.reason)
    assert named.id in halt.reason
    assert await late.desk.state_of(other) == State.EXPIRED
    assert await late.audit(other, "halted") == []


async def test_a_halt_that_stands_already_stays_as_it_is(late: Late) -> None:
    action = await late.parked(Terms(on_timeout="halt"))
    await late.desk.redis.hset(KEYS.halts, "web agent-1", b'{"by":"olga"}')

    await late.steward.sweep()

    assert await late.desk.state_of(action) == State.EXPIRED
    assert await late.halts() == {"web agent-1": {"by": "olga"}}
    assert await late.outbox() == []


async def test_halts_that_cannot_be_read_keep_nothing_from_expiring(late: Late) -> None:
    action = await late.parked(Terms(on_timeout="halt"))
    await late.desk.redis.set(KEYS.halts, "not a hash")

    await late.steward.sweep()

    assert await late.desk.events(action) == ["assessed", "parked", "expired"]


async def test_one_that_was_answered_halts_nothing(late: Late) -> None:
    action = await late.parked(Terms(on_timeout="halt"), park_ms=60_000)
    await late.desk.resolve(action, Outcome.APPROVED)
    left = HaltLeft("web agent-1", b"{}", "x", "y")

    done = await late.desk.ledger.expire(
        verdict_on(action, Outcome.EXPIRED), fleet=FLEET, agent="agent-1", waiters="", halt=left
    )

    assert done.what == "stale"
    assert await late.halts() == {}
