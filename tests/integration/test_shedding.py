"""A queue has a limit: the newest beyond it are refused fast, the others wait no longer for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from desk import FLEET, Desk
from guardtier.errors import InvalidAction, QueueFull, TierUnavailable
from guardtier.store.keys import ANALYZERS, Keys
from guardtier.store.scripts import script
from guardtier.store.turning import Shed
from guardtier_workers.embedded import EmbeddedRedis
from integration.test_audit_chain import faults_of
from tier import Gate, StartTier, low, only, submitted
from waiting import until

FULL = QueueFull("more wait than may", field="max_queue", limit=5)
STREAM = Keys(0).actions(FLEET)


async def asked(desk: Desk, count: int, *, size: int = 10, client: str = "client-1") -> list[bytes]:
    more = {"op": "submit", "client": client, "payload": "x" * size}
    return [await desk.redis.xadd(STREAM, {"id": f"a{n}.0"} | more) for n in range(count)]


async def left(desk: Desk) -> list[bytes]:
    return [entry for entry, _ in await desk.redis.xrange(STREAM)]


async def taken(desk: Desk, count: int) -> list[bytes]:
    ((_, found),) = await desk.redis.xreadgroup(ANALYZERS, "me", {STREAM: ">"}, count=count)
    return [entry for entry, _ in found]


async def shed(desk: Desk, most: int = 5) -> Shed:
    return await desk.ledger.shed(STREAM, FLEET, FULL, most=most)


async def test_the_newest_beyond_the_limit_are_refused(desk: Desk) -> None:
    entries = await asked(desk, 8)

    assert await shed(desk) == (3, 5)

    assert await left(desk) == entries[:5]
    told = [fields for _, fields in await desk.redis.xrange(desk.keys.reply(FLEET, "client-1"))]
    assert [(one[b"id"], one[b"entry"]) for one in told] == [
        (f"a{n}.0".encode(), entries[n]) for n in (7, 6, 5)
    ]
    error = QueueFull.from_json(told[0][b"error"])
    assert isinstance(error, QueueFull)
    assert (error.field, error.limit) == ("max_queue", 5)
    assert 1 <= error.retry_after <= 60
    (line,) = [fields for _, fields in await desk.redis.xrange(desk.keys.audit)]
    assert (line[b"event"], line[b"why"], line[b"count"]) == (b"turned_away", b"queue_full", b"3")
    assert (line[b"first"], line[b"last"]) == (entries[5], entries[7])
    assert await faults_of(desk) == []  # of the audit stream's chain


async def test_within_the_limit_nothing_happens(desk: Desk) -> None:
    entries = await asked(desk, 5)

    assert await shed(desk) == (0, 5)
    assert await left(desk) == entries


async def test_what_is_in_work_or_finished_does_not_count(desk: Desk) -> None:
    entries = await asked(desk, 12)
    given = await taken(desk, 6)
    await desk.redis.xack(STREAM, ANALYZERS, *given[1:3], *given[4:5])  # finished behind what is stuck

    assert await shed(desk) == (1, 5)

    assert await left(desk) == [given[0], given[3], given[5], *entries[6:11]]
    assert (await desk.redis.xpending(STREAM, ANALYZERS))["pending"] == 3


async def test_much_that_is_finished_behind_one_that_is_stuck_goes(desk: Desk) -> None:
    await asked(desk, 1000)
    given = await taken(desk, 990)
    await desk.redis.xack(STREAM, ANALYZERS, *given[1:])

    while (said := await shed(desk, most=20)).waiting > 20:
        pass

    assert said == (0, 10)
    assert len(await left(desk)) == 11


async def test_one_call_is_bounded_and_the_next_goes_on(desk: Desk) -> None:
    await asked(desk, 600)

    first = await shed(desk)
    assert 0 < first.refused <= 300
    assert first.waiting == 600 - first.refused
    while (await shed(desk)).waiting > 5:
        pass
    assert len(await left(desk)) == 5


async def test_large_ones_are_refused_in_smaller_steps(desk: Desk) -> None:
    await asked(desk, 100, size=64 * 1024)

    assert (await shed(desk)).refused <= 16


async def test_who_names_no_client_is_told_nothing_and_harms_nobody(desk: Desk) -> None:
    for client in ("", "a b", "*", "x" * 65, "}", "client:1"):
        await asked(desk, 1, client=client)

    assert (await shed(desk, most=1)).refused == 5
    assert not [key async for key in desk.redis.scan_iter("*reply*")]


async def test_a_new_clients_replies_live_only_briefly_and_a_known_ones_as_before(desk: Desk) -> None:
    await desk.assess(desk.action(), client="known")
    await desk.assess(desk.action(), delivery=await desk.asked(desk.action(), "submit"))
    await desk.redis.xadd(desk.keys.reply(FLEET, "known"), {"id": "x", "state": "assessed"})
    await desk.redis.pexpire(desk.keys.reply(FLEET, "known"), 600_000)
    await asked(desk, 1, client="known")
    await asked(desk, 1, client="made-up")

    await shed(desk, most=0)

    assert await desk.redis.pttl(desk.keys.reply(FLEET, "made-up")) <= 15_000
    assert await desk.redis.pttl(desk.keys.reply(FLEET, "known")) > 15_000


async def test_a_request_that_somebody_else_has_answered_is_not_refused(desk: Desk) -> None:
    action = desk.action()
    delivery = await desk.asked(action, "submit")
    await desk.assess(action, delivery=delivery)

    await desk.ledger.turn_away(FLEET, [(delivery, FULL)])

    assert await desk.redis.exists(desk.keys.reply(FLEET, "client-1")) == 0


async def test_where_memory_is_full_what_must_not_stay_makes_the_room_for_its_refusal(desk: Desk) -> None:
    await desk.refuse(await desk.given(STREAM, ANALYZERS, id="small.0"))
    delivery = await desk.given(STREAM, ANALYZERS, id="large.0", payload="x" * 3_000_000)
    await desk.redis.config_set("maxmemory", int((await desk.redis.info("memory"))["used_memory"]) - 1)
    try:
        await desk.ledger.refuse(delivery, InvalidAction("no"), reply=None, wipe=True)
    finally:
        await desk.redis.config_set("maxmemory", 0)

    assert delivery.entry.encode() not in await left(desk)
    assert [line[b"id"] for _, line in await desk.redis.xrange(desk.keys.audit)] == [b"small.0", b"large.0"]
    assert await faults_of(desk) == []


async def test_where_memory_is_full_refusing_makes_room(desk: Desk) -> None:
    await asked(desk, 200, size=64 * 1024)
    await desk.redis.script_load(script("turn_away").source)
    await desk.redis.config_set("maxmemory", int((await desk.redis.info("memory"))["used_memory"]) - 1)
    try:
        while (await shed(desk)).waiting > 5:
            pass
        await desk.redis.set("writes", "are taken again")
    finally:
        await desk.redis.config_set("maxmemory", 0)

    assert len(await left(desk)) == 5
    lines = [fields for _, fields in await desk.redis.xrange(desk.keys.audit)]
    assert lines


# -- in a tier -----------------------------------------------------------------------------------


async def test_a_fleet_that_floods_is_refused_and_another_is_served(start_tier: StartTier) -> None:
    gate = Gate()
    tier = await start_tier(
        analyzers=0, fleets={"web": {"max_queue": 20}, "small": {}}, concurrency=8, share=4
    )
    await tier.analyzer(analyzers=only(gate))
    client = tier.client()
    flood = [asyncio.create_task(client.check(low(str(n)))) for n in range(200)]

    refused = await until(lambda: [one for one in flood if one.done()])
    assert all(isinstance(one.exception(), QueueFull) for one in refused)
    await until(lambda: sum(one.done() for one in flood) >= 200 - 20 - 8 - 4)
    small = asyncio.create_task(tier.client("small").check(low(fleet="small")))
    gate.open.set()

    assert (await small).allowed
    said = await asyncio.gather(*flood, return_exceptions=True)
    served = [one for one in said if not isinstance(one, BaseException)]
    assert len(served) >= 20
    assert all(one.allowed for one in served)
    assert {type(one) for one in said} == {type(served[0]), QueueFull}
    # The oldest were served: who came first was not turned away for who came later.
    assert all(not isinstance(one, BaseException) for one in said[:20])


async def test_who_waits_for_room_gets_in(start_tier: StartTier) -> None:
    gate = Gate()
    tier = await start_tier(analyzers=0, max_queue=5, concurrency=1, share=1)
    await tier.analyzer(analyzers=only(gate))
    client = tier.client()
    waiting = [asyncio.create_task(client.check(low(str(n)), wait_for_quota=True)) for n in range(20)]
    await until(lambda: _told(tier))
    gate.open.set()

    assert all(verdict.allowed for verdict in await asyncio.gather(*waiting))


async def _told(tier: Any) -> bool:
    return "turned_away" in [line["event"] for line in await tier.audit()]


async def test_strays_are_bounded_as_well_and_counted(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, max_queue=10)
    strays = Keys(0).strays
    for n in range(60):
        await tier.redis.xadd(strays, submitted(low(str(n))) | {"fleet": "nobody"})
    await tier.analyzer(analyzers=only(Gate()))

    async def all_said() -> bool:
        lines = await tier.audit()
        turned = sum(int(line["count"]) for line in lines if line["event"] == "turned_away")
        return turned + sum(line["event"] == "refused" for line in lines) == 60

    await until(all_said)


async def test_few_large_requests_that_fill_redis_are_cleared(
    own_server: EmbeddedRedis, start_tier: StartTier
) -> None:
    """Far from the queue's limit: what the worker has in hand can't be written down before they go."""
    gate = Gate()
    limits = {"concurrency": 2, "share": 2}
    tier = await start_tier(url=own_server.url, analyzers=0, fleets={"web": {}, "ops": {}}, **limits)
    await tier.analyzer(analyzers=only(gate))
    for n in range(12):
        await tier.redis.xadd(STREAM, submitted(low("x" * 900_000, id=f"a{n}.0"), client="flood"))
    await until(lambda: gate.entered == 2)
    full = (await tier.redis.info("memory"))["used_memory"]
    await tier.redis.config_set("maxmemory", full - 1_000_000)
    gate.open.set()

    honest = tier.client("ops")

    async def asked_and_allowed() -> bool:
        try:
            return (await honest.check(low(fleet="ops"), timeout=30)).allowed
        except (QueueFull, TierUnavailable):  # not yet
            return False

    await until(asked_and_allowed)
    await until(lambda: _told(tier))
    told = [fields for _, fields in await tier.redis.xrange(Keys(0).reply("web", "flood"))]
    errors = [QueueFull.from_json(one[b"error"]) for one in told if b"error" in one]
    assert errors
    assert all(isinstance(one, QueueFull) and one.field == "maxmemory" for one in errors)
    await tier.redis.config_set("maxmemory", 0)  # so that workers can write that they end


async def test_an_agent_of_a_full_redis_is_still_told(start_tier: StartTier) -> None:
    """Redis refuses writes: agents hear that at once, and nothing of it is half written."""
    tier = await start_tier()
    client = tier.client()
    await client.check(low())
    await tier.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(TierUnavailable):
            await client.check(low("again"))
    finally:
        await tier.redis.config_set("maxmemory", 0)
    assert (await client.check(low("after"))).allowed
