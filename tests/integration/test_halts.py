"""A halt parks or rejects what is new and what waits, and stops what was approved."""

from __future__ import annotations

import asyncio

import pytest

from guardtier import State
from guardtier.errors import Halted
from guardtier.policy import AlwaysConfirm, NeverConfirm
from guardtier.policy.halts import HALTED
from guardtier.store.keys import Keys
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
