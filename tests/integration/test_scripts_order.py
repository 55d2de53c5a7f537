"""What a script writes first: where one of its streams is damaged, what must not be lost is not lost."""

from __future__ import annotations

import pytest

from desk import CLIENT, FLEET, Desk, verdict_on
from guardtier import Outcome, State
from guardtier.errors import EditRefused
from guardtier.policy.terms import Terms
from guardtier.store.connection import AnyRedis
from guardtier.store.decisions import HaltLeft
from guardtier.store.keys import ANALYZERS
from guardtier.store.ledger import Decision
from guardtier_workers.clock import now_ms

SCOPE, HALT = f"{FLEET} agent-1", b'{"at":1,"by":"guardtier.timeout","reason":"late","scope":"web agent-1"}'
LAST = f"{2**64 - 1}-{2**64 - 1}"


async def wreck(redis: AnyRedis, stream: str) -> None:
    await redis.delete(stream)
    await redis.rpush(stream, "x")  # type: ignore[misc]


@pytest.mark.parametrize("damaged", ["outbox", "reply"])
async def test_what_expires_halts_its_agent_everywhere_or_does_not_expire(desk: Desk, damaged: str) -> None:
    action = desk.action()
    await desk.assess(action)
    await desk.decided(
        action, Decision("parked", "test:1", park_ms=0, terms=Terms(on_timeout="halt").to_json())
    )
    keys = desk.keys
    stream = {"outbox": keys.outbox, "reply": keys.reply(FLEET, CLIENT)}[damaged]
    await wreck(desk.redis, stream)
    told = {"fleet": FLEET, "agent": "agent-1", "waiters": CLIENT}
    halt = HaltLeft(SCOPE, HALT, "guardtier.timeout", "late", (("halt", HALT),))

    with pytest.raises(Exception, match="WRONGTYPE"):
        await desk.ledger.expire(verdict_on(action, Outcome.EXPIRED), **told, halt=halt)
    if await desk.state_of(action) == State.PARKED:
        await desk.redis.delete(stream)
        await desk.ledger.expire(verdict_on(action, Outcome.EXPIRED), **told, halt=halt)

    assert await desk.state_of(action) == State.EXPIRED
    assert await desk.redis.hkeys(keys.halts) == [SCOPE.encode()]
    assert [entry[b"op"] for _, entry in await desk.redis.xrange(keys.outbox)] == [b"halt"]
    assert await desk.events(action) == ["assessed", "parked", "expired", "halted"]


async def test_what_is_rejected_is_blocked_though_nobody_can_be_told(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    await desk.redis.xadd(desk.keys.reply(FLEET, CLIENT), {"x": "y"}, id=LAST)

    with pytest.raises(Exception, match=r"exhausted|equal or smaller"):
        await desk.resolve(action, Outcome.REJECTED, block=b'{"id":"a"}', block_ms=60_000)

    assert await desk.state_of(action) == State.REJECTED
    assert await desk.redis.get(desk.keys.block(action.digest)) == b'{"id":"a"}'


async def test_no_edit_goes_without_its_line(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    record = desk.keys.action(action.id)
    await desk.redis.hset(record, mapping={"edit": '{"proof":"p1"}', "asking": "1-1"})
    delivery = await desk.given(desk.keys.edits, ANALYZERS, id=action.id, proof="p1")
    said = {"edit": b'{"proof":"p1"}', "told": "console-1", "approver": "alice", "error": EditRefused("no")}
    await wreck(desk.redis, desk.keys.audit)

    with pytest.raises(Exception, match="WRONGTYPE"):
        await desk.ledger.drop_edit(delivery, **said)

    assert await desk.redis.hget(record, "edit") == b'{"proof":"p1"}'
    await desk.redis.delete(desk.keys.audit)
    assert (await desk.ledger.drop_edit(delivery, **said)).what == "dropped"
    assert await desk.events(action) == ["edit_refused"]


async def test_no_block_of_another_partition_goes_without_its_line(desk: Desk) -> None:
    said = {"fleet": FLEET, "digest": "d" * 64, "by": "alice", "block": b"{}", "until": now_ms() + 60_000}
    await wreck(desk.redis, desk.keys.audit)
    with pytest.raises(Exception, match="WRONGTYPE"):
        await desk.ledger.block("a1.0", **said)
    await desk.redis.delete(desk.keys.audit)

    assert (await desk.ledger.block("a1.0", **said)).what == "blocked"

    ((_, line),) = await desk.redis.xrange(desk.keys.audit)
    assert line[b"event"] == b"blocked"


LEFT = (("notice", b"{}"),)


@pytest.mark.parametrize(
    ("outcome", "damaged"),
    [*((one, "outbox") for one in ("parked", "released", "approved", "extended")), ("parked", "dead")],
)
async def test_a_damaged_outbox_adds_no_line_at_each_delivery(
    desk: Desk, outcome: str, damaged: str
) -> None:
    """Entries are delivered again and again while it is damaged: each would fill the audit stream."""
    action = await desk.bring(State.PARKED if outcome in ("approved", "extended") else State.ASSESSED)
    if outcome == "extended":
        await desk.redis.hset(desk.keys.action(action.id), "deadline", "1")
    before = await desk.events(action)
    verdict = verdict_on(action, outcome) if outcome == "released" else None
    entry = await desk.assessed_entry(action)
    answer = await desk.given(desk.keys.answers, "policies", id=action.id)
    key = getattr(desk.keys, damaged)
    await wreck(desk.redis, key)

    async def deliver() -> None:
        if outcome == "approved":
            await desk.resolve(action, outcome, delivery=answer, outbox=LEFT)
        elif outcome == "extended":
            told = {"agent": "agent-1", "waiters": CLIENT, "outbox": LEFT}
            await desk.ledger.extend(action.id, fleet=FLEET, park_ms=60_000, **told)
        else:
            decision = Decision(outcome, "test:1", verdict, 60_000, outbox=LEFT)
            await desk.decided(action, decision, delivery=entry, dead_letter="x" * (damaged == "dead"))

    for _ in range(3):
        with pytest.raises(Exception, match="WRONGTYPE"):
            await deliver()
    assert await desk.events(action) == before

    await desk.redis.delete(key)
    await deliver()
    assert await desk.events(action) == [*before, outcome]


@pytest.mark.parametrize("damaged", ["reply", "dead"])
async def test_what_can_not_be_refused_adds_no_line_at_each_delivery(desk: Desk, damaged: str) -> None:
    action = desk.action()
    entry = await desk.asked(action, "submit")
    key = {"reply": desk.keys.reply(FLEET, CLIENT), "dead": desk.keys.dead}[damaged]
    await wreck(desk.redis, key)

    for _ in range(2):
        with pytest.raises(Exception, match="WRONGTYPE"):
            await desk.refuse(entry, dead_letter="x")
    assert await desk.redis.xlen(desk.keys.audit) == 0

    await desk.redis.delete(key)
    assert (await desk.refuse(entry, dead_letter="x")).what == "refused"
    assert await desk.redis.xlen(desk.keys.audit) == 1


async def test_what_can_not_be_told_again_adds_no_line_at_each_delivery(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    before = await desk.events(action)
    entry = await desk.asked(action, "submit")
    await wreck(desk.redis, desk.keys.reply(FLEET, CLIENT))

    for _ in range(2):
        with pytest.raises(Exception, match="WRONGTYPE"):
            await desk.assess(action, delivery=entry)
    assert await desk.events(action) == before

    await desk.redis.delete(desk.keys.reply(FLEET, CLIENT))
    assert (await desk.assess(action, delivery=entry)).what == "repeated"
    assert await desk.events(action) == [*before, "repeated"]


async def test_a_damaged_outbox_adds_no_line_for_what_is_given_up_or_retried(desk: Desk) -> None:
    await desk.redis.xadd(desk.keys.outbox, {"id": "a1.0", "op": "notice", "body": "{}"})
    entry = await desk.given(desk.keys.outbox, "policies", id="a1.0", op="notice", body="{}")
    await wreck(desk.redis, desk.keys.dead)
    for _ in range(2):
        with pytest.raises(Exception, match="WRONGTYPE"):
            await desk.ledger.done(entry, dead_letter="x", says=("given_up", "fleet", FLEET))
    assert await desk.redis.xlen(desk.keys.audit) == 0

    await desk.redis.delete(desk.keys.dead)
    kept = {"id": "a1.0", "why": "x", "stream": desk.keys.outbox, "op": "notice", "payload": "{}"}
    letter = await desk.redis.xadd(desk.keys.dead, kept)
    request = await desk.given(desk.keys.answers, "policies", id="r1.0")
    await wreck(desk.redis, desk.keys.outbox)
    for _ in range(2):
        with pytest.raises(Exception, match="WRONGTYPE"):
            await desk.ledger.retry(
                request, letter=letter.decode(), fleet=FLEET, by="alice", reason="", told="c1"
            )
    assert await desk.redis.xlen(desk.keys.audit) == 0
