"""Halts: everything new is held at once, waiting agents are told, and what was too late is said."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from time import time
from typing import Any

import pytest

from guardtier import State
from guardtier.answer import key_of
from guardtier.errors import ConfigError, Halted, HaltNotEverywhere, UnknownFleet
from guardtier.policy import AlwaysConfirm, NeverConfirm
from guardtier.policy.halts import HALTED, Halt, ResumeRequest, Scope
from guardtier.store.keys import Keys, partition_for
from guardtier.verdict import Outcome
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)


# -- what is new ---------------------------------------------------------------------------------


async def test_everything_new_of_a_halted_fleet_is_parked_and_says_why(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    assert (await client.submit(low())).state is State.RELEASED

    (report,) = await olga.halt("web", reason="the agents run wild")

    status = await client.submit(low("pwd"))
    record = await tier.record(status.id)
    assert status.is_waiting
    assert status.halted == "Halted by olga: the agents run wild"
    assert record.assessment.findings[0].id == HALTED
    assert "the agents run wild" in record.assessment.findings[0].message
    assert report.halt.by == "olga"
    (parked,) = [line for line in await tier.audit(status.id) if line["event"] == "parked"]
    assert '"rules":["halt"]' in parked["details"]
    (halted,) = [line for line in await tier.audit() if line["event"] == "halted"]
    assert (halted["by"], halted["fleet"], halted["reason"]) == ("olga", "web", "the agents run wild")
    assert '"scope":"web"' in halted["details"]


async def test_a_halt_may_reject_instead_and_the_model_is_told_the_reason(tier: Tier) -> None:
    await tier.operator().halt("web", reason="frozen for the audit", then="reject")

    verdict = await tier.client().check(low())

    assert (verdict.outcome, verdict.rules) == (Outcome.REJECTED, ("halt",))
    assert "frozen for the audit" in verdict.feedback
    assert verdict.findings[0].id == HALTED


async def test_a_halted_agent_and_a_halted_conversation_leave_the_others_alone(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    await olga.halt("web", agent="bad", reason="loops")
    await olga.halt("web", agent="good", conversation="c-1", reason="loops")

    async def state(agent: str, conversation: str | None = None) -> State:
        return (await client.submit(low(agent=agent, conversation=conversation))).state

    assert await state("bad") is State.PARKED
    assert await state("bad", "c-9") is State.PARKED
    assert await state("good") is State.RELEASED
    assert await state("good", "c-1") is State.PARKED
    assert await state("good", "c-2") is State.RELEASED
    assert await state("other", "c-1") is State.RELEASED


async def test_no_worker_releases_anything_once_the_halt_is_reported(start_tier: StartTier) -> None:
    """Each of four workers has released before, so each has other circumstances in mind."""
    tier = await start_tier(policies=4, concurrency=1)
    client, olga = tier.client(), tier.operator()
    await asyncio.gather(*(client.submit(low(f"echo {n}")) for n in range(40)))

    for _ in range(3):
        await olga.halt("web", reason="stop")
        held = await asyncio.gather(*(client.submit(low(f"echo {n}")) for n in range(40)))
        assert {status.state for status in held} == {State.PARKED}
        await olga.resume("web")
        free = await asyncio.gather(*(client.submit(low(f"echo {n}")) for n in range(40)))
        assert {status.state for status in free} == {State.RELEASED}


async def test_a_policy_that_is_stricter_than_the_halt_stays_so(tier: Tier) -> None:
    olga = tier.operator()
    await olga.set_policy("web", AlwaysConfirm())
    await olga.halt("web", reason="stop")

    status = await tier.client().submit(low())

    assert (await tier.record(status.id)).policy == "always_confirm@1"


@pytest.mark.parametrize("garbage", [b"{}", b"!", b"\xff\x00", b'{"reason":1}', b"x" * 100_000])
async def test_a_halt_that_can_not_be_read_parks_everything(tier: Tier, garbage: bytes) -> None:
    await tier.operator().set_policy("web", NeverConfirm())
    await tier.redis.hset(KEYS.halts, "web", garbage)

    status = await tier.client().submit(low())

    assert status.is_waiting
    assert "can't be read" in (status.halted or "")
    await tier.operator().resume("web")
    assert (await tier.client().submit(low())).state is State.RELEASED


async def test_halts_of_another_type_park_everything(tier: Tier) -> None:
    await tier.redis.set(KEYS.halts, "none")

    assert (await tier.client().submit(low())).is_waiting


# -- what waits ----------------------------------------------------------------------------------


async def test_what_is_parked_is_rejected_where_asked_and_its_agents_hear_it(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    waiting = asyncio.create_task(client.check(high(agent="bad")))
    other = await client.submit(high(agent="good"))
    await tier.parked(2)

    (report,) = await olga.halt("web", agent="bad", reason="compromised", reject_parked=True)

    verdict = await waiting
    assert (report.rejected, report.waiting) == (1, 0)
    assert (verdict.outcome, verdict.decided_by) == (Outcome.REJECTED, ("olga",))
    assert verdict.reason == "Halted by olga: compromised"
    assert (await tier.record(other.id)).state is State.PARKED
    line = (await tier.audit(verdict.id))[-1]
    assert (line["event"], line["by"], line["details"]) == ("rejected", "olga", '{"halt":"web bad"}')
    assert len(await client.pending("bad")) == 0


async def test_where_nothing_is_rejected_who_waits_is_told(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    parked = await client.submit(high())
    stream = KEYS.reply("web", client.client_id)

    (report,) = await olga.halt("web", reason="lunch")

    told = [fields for _, fields in await tier.redis.xrange(stream)]
    assert (report.rejected, report.waiting) == (0, 1)
    assert b"lunch" in told[-1][b"halted"]
    polled = await client.poll(parked.id)
    assert (polled.state, polled.halted) == (State.PARKED, "Halted by olga: lunch")


async def test_a_thousand_parked_actions_are_rejected(tier: Tier) -> None:
    client = tier.client()
    await asyncio.gather(*(client.submit(high(f"rm -rf ~/{n}")) for n in range(1000)))

    (report,) = await tier.operator().halt("web", reason="all of it", reject_parked=True)

    assert report.rejected == 1000
    assert await tier.records.count() == 0


async def test_a_record_that_can_not_be_read_keeps_no_other_from_being_rejected(tier: Tier) -> None:
    client = tier.client()
    broken = await client.submit(high("rm -rf ~/1"))
    other = await client.submit(high("rm -rf ~/2"))
    await tier.redis.hset(KEYS.action(broken.id), "assessment", "no json")

    (report,) = await tier.operator().halt("web", reason="stop", reject_parked=True)

    assert report.rejected == 1
    assert (await tier.record(other.id)).state is State.REJECTED


# -- what was approved before --------------------------------------------------------------------


async def test_an_approval_is_not_redeemed_while_it_is_halted_and_counts_afterwards(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    action = high().placed_in(0)
    parked = await client.submit(action)
    await tier.approver().approve(parked.id)
    await olga.halt("web", agent="agent-1", reason="wait a moment")

    with pytest.raises(Halted, match="wait a moment"):
        await client.redeem(action)
    polled = await client.poll(action)
    assert (polled.state, polled.halted) == (State.APPROVED, "Halted by olga: wait a moment")

    await olga.resume("web", agent="agent-1")
    assert (await client.redeem(action)).allowed


async def test_a_check_that_is_approved_under_a_halt_does_not_let_the_tool_run(tier: Tier) -> None:
    client = tier.client()
    waiting = asyncio.create_task(client.check(high()))
    (parked,) = await tier.parked()
    await tier.operator().halt("web", reason="wait")

    await tier.approver().approve(parked.id)

    with pytest.raises(Halted, match="Halted by olga: wait"):
        await waiting
    assert (await tier.record(parked.id)).state is State.APPROVED


async def test_an_agent_does_not_redeem_under_another_name(tier: Tier) -> None:
    """The halt is looked up by the record's agent, whatever the request says."""
    client = tier.client()
    action = high().placed_in(0)
    await client.submit(action)
    await tier.approver().approve(action.id)
    await tier.operator().halt("web", agent="agent-1", reason="no")

    entry = await tier.redis.xadd(
        KEYS.actions("web"),
        {"op": "redeem", "id": action.id, "client": "raw-1", "agent": "somebody", "token": "t-1"},
    )

    async def refused() -> bool:
        told = await tier.redis.xrange(KEYS.reply("web", "raw-1"))
        return any(f.get(b"entry") == entry and b'"halted"' in f[b"error"] for _, f in told)

    await until(refused)
    assert (await tier.record(action.id)).state is State.APPROVED


# -- what could not be stopped -------------------------------------------------------------------


async def test_the_report_names_what_had_been_let_go(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    released = await client.submit(low(agent="bad"))
    await client.submit(low(agent="good"))
    action = high(agent="bad").placed_in(0)
    await client.submit(action)
    await tier.approver().approve(action.id)
    await client.redeem(action)
    await client.submit(high("rm -rf ~/b", agent="bad"))

    (report,) = await olga.halt("web", agent="bad", reason="stop")

    assert (report.unstopped, report.complete) == (2, True)
    assert [(one.id, one.event, one.agent, one.tool) for one in report.newest] == [
        (action.id, "redeemed", "bad", "terminal"),
        (released.id, "released", "bad", "terminal"),
    ]


async def test_the_report_looks_back_by_redis_clock(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    await tier.client().submit(low())
    monkeypatch.setattr("guardtier_workers.clock.time", lambda: time() + 60)
    monkeypatch.setattr("guardtier_workers.halt_report.LOOK_BACK_MS", 30_000)

    (report,) = await tier.operator().halt("web", reason="stop")

    assert report.unstopped == 1


async def test_the_report_of_a_conversation_leaves_others_out(tier: Tier) -> None:
    client = tier.client()
    await client.submit(low(conversation="c-1"))
    await client.submit(low(conversation="c-2"))
    await client.submit(low())

    (report,) = await tier.operator().halt("web", agent="agent-1", conversation="c-1", reason="stop")

    assert report.unstopped == 1


async def test_a_report_is_bounded_and_says_so(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardtier_workers.halt_report.PAGE", 5)
    monkeypatch.setattr("guardtier_workers.halt_report.PAGES", 2)
    client = tier.client()
    await asyncio.gather(*(client.submit(low(f"echo {n}")) for n in range(20)))

    (report,) = await tier.operator().halt("web", reason="stop")

    assert not report.complete
    assert report.unstopped < 20
    assert report.since > 0


# -- resume --------------------------------------------------------------------------------------


async def test_resume_lifts_exactly_what_it_names(tier: Tier) -> None:
    client, olga = tier.client(), tier.operator()
    await olga.halt("web", reason="all")
    await olga.halt("web", agent="agent-1", reason="one")

    (lifted,) = await olga.resume("web", reason="looked at it")

    assert lifted.halt.reason == "all"
    assert [found.scope.key for found in await olga.halts("web")] == ["web agent-1"]
    assert (await client.submit(low())).is_waiting
    assert (await client.submit(low(agent="agent-2"))).state is State.RELEASED
    line = next(line for line in await tier.audit() if line["event"] == "resumed")
    assert (line["by"], line["reason"], line["details"]) == ("olga", "looked at it", '{"scope":"web"}')


async def test_resuming_what_is_not_halted_says_so(tier: Tier) -> None:
    assert await tier.operator().resume("web") == []
    assert "resumed" not in {line["event"] for line in await tier.audit()}


async def test_a_halt_that_somebody_set_meanwhile_is_not_lifted(tier: Tier) -> None:
    olga = tier.operator()
    await olga.halt("web", reason="first")
    seen = await tier.redis.hget(KEYS.halts, "web")
    await olga.halt("web", reason="second")

    entry = await tier.redis.xadd(KEYS.answers, lifting(tier, seen))

    told = await until(lambda: told_of(tier, entry))
    assert b"look at it again" in told[b"error"]
    assert [found.halt.reason for found in await olga.halts()] == ["second"]


def lifting(tier: Tier, seen: bytes) -> dict[str, Any]:
    """A genuine request of olga's to lift the halt that she saw."""
    request = ResumeRequest(
        id="r1.0",
        client="raw-1",
        approver="olga",
        at=int(time() * 1000),
        scope=Scope(fleet="web"),
        lifts=sha256(seen).hexdigest(),
    )
    return request.to_fields(request.proof(key_of(tier.token_of("olga"))))


async def told_of(tier: Tier, entry: bytes) -> dict[bytes, bytes] | None:
    """What the sender of this entry was told."""
    told = await tier.redis.xrange(KEYS.told("raw-1"))
    return next((fields for _, fields in told if fields[b"entry"] == entry), None)


# -- partitions ----------------------------------------------------------------------------------


async def test_it_counts_in_every_partition(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    olga = tier.operator()
    clients = [
        tier.client(client_id=next(f"c-{n}" for n in range(100) if partition_for(f"c-{n}", 2) == p))
        for p in (0, 1)
    ]

    reports = await olga.halt("web", reason="stop")

    assert [report.partition for report in reports] == [0, 1]
    for client in clients:
        assert (await client.submit(low())).is_waiting
    assert len(await olga.resume("web")) == 2
    for client in clients:
        assert (await client.submit(low())).state is State.RELEASED


async def test_where_it_failed_in_one_partition_that_is_said(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    await tier.redis.srem(Keys(1).fleets, "web")

    with pytest.raises(HaltNotEverywhere, match="in 1 of 2 partitions, repeat it: partition 1") as said:
        await tier.operator().halt("web", reason="stop")

    assert isinstance(said.value.__cause__, UnknownFleet)


def left(halt: Halt) -> dict[str, Any]:
    """What a script leaves in the outbox."""
    return {"id": "a1.0", "op": "halt", "body": halt.to_json()}


async def test_a_halt_that_a_script_left_in_the_outbox_reaches_every_partition(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(partitions=3)
    halt = Halt(reason="timed out", by="guardtier.timeout", at=1, scope="web agent-1 c-1")
    for _ in range(2):  # at least once
        await tier.redis.xadd(KEYS.outbox, left(halt))

    async def spread() -> bool:
        found = [await tier.redis.hget(Keys(p).halts, "web agent-1 c-1") for p in (1, 2)]
        return found == [halt.to_json()] * 2

    await until(spread)
    await tier.idle()
    lines = [line for line in await tier.audit() if line["event"] == "halted"]
    assert [(line["id"], line["by"]) for line in lines] == [("a1.0", "guardtier.timeout")] * 2


async def test_a_halt_that_comes_after_its_resume_does_not_count(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    await tier.operator().resume("web", agent="agent-1")
    halt = Halt(reason="late", by="guardtier.breaker", at=1, scope="web agent-1")

    await tier.redis.xadd(KEYS.outbox, left(halt))

    await tier.idle()
    assert await tier.operator().halts() == []


# -- bad input -----------------------------------------------------------------------------------


async def test_what_is_wrong_is_told_before_anything_is_sent(tier: Tier) -> None:
    olga = tier.operator()
    with pytest.raises(ConfigError) as told:
        await olga.halt("web", conversation="c-1", reason="stop")
    assert told.value.field == "conversation"
    for wrong in ({"fleet": "no:fleet"}, {"agent": "two words"}, {"reason": ""}, {"reason": "x" * 1001}):
        with pytest.raises(ConfigError):
            await olga.halt(**{"fleet": "web", "reason": "stop"} | wrong)
    with pytest.raises(UnknownFleet):
        await olga.halt("nobody", reason="stop")
    assert await olga.halts() == []
