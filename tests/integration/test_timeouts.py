"""Timeouts: a parked action that nobody answers ends, waits on, or halts its conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from desk import FLEET, Desk, verdict_on
from guardtier import ActionEvent, Outcome, State
from guardtier.errors import TierUnavailable
from guardtier.policy.halts import Halt
from guardtier.policy.terms import Terms
from guardtier.settings import Settings
from guardtier.store.decisions import HaltLeft
from guardtier.store.keys import ARQ_QUEUE, Keys
from guardtier.store.ledger import Decision
from guardtier_workers.steward import PAGE, Deadlines, Steward
from tier import StartTier
from waiting import until

KEYS = Keys(0)


class Late:
    """A desk with a steward beside it, and parked actions whose deadline has passed."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.settings = Settings.load(redis_url=url, fleets={FLEET: {"park_seconds": 3600}})
        self.deadlines = Deadlines(self.settings)
        self.steward = Steward(self.settings, schedule=self.deadlines)

    async def close(self) -> None:
        await self.steward.close()
        await self.deadlines.close()

    async def parked(self, terms: Terms | bytes, *, park_ms: int = 0, **fields: Any) -> ActionEvent:
        """A parked action under these terms."""
        action = self.desk.action(**fields)
        await self.desk.assess(action)
        raw = terms if isinstance(terms, bytes) else terms.to_json()
        decision = Decision("parked", "test:1", park_ms=park_ms, terms=raw)
        await self.desk.decided(action, decision)
        return action

    async def field(self, action: ActionEvent, name: str) -> bytes:
        found = await self.desk.redis.hget(self.desk.keys.action(action.id), name)
        return found or b""

    async def audit(self, action: ActionEvent, event: str) -> list[dict[bytes, bytes]]:
        lines = await self.desk.redis.xrange(KEYS.audit)
        mine = (action.id.encode(), event.encode())
        return [found for _, found in lines if (found[b"id"], found[b"event"]) == mine]

    async def outbox(self) -> list[tuple[str, Any]]:
        entries = await self.desk.redis.xrange(KEYS.outbox)
        return [(found[b"op"].decode(), orjson.loads(found[b"body"])) for _, found in entries]

    async def halts(self) -> dict[str, Any]:
        found = await self.desk.redis.hgetall(KEYS.halts)
        return {scope.decode(): orjson.loads(halt) for scope, halt in found.items()}


@pytest.fixture
async def late(desk: Desk, any_redis_url: str):
    made = Late(desk, any_redis_url)
    yield made
    await made.close()


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


# -- wait --------------------------------------------------------------------------------------


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


# -- halt --------------------------------------------------------------------------------------


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
