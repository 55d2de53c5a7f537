"""Halts: what they report, how they end, and that they count in every partition."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from time import time
from typing import Any

import pytest

from guardtier import State
from guardtier.answer import key_of
from guardtier.errors import ConfigError, HaltNotEverywhere, UnknownFleet
from guardtier.policy.halts import Halt, ResumeRequest, Scope
from guardtier.store.keys import Keys, partition_for
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)


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
