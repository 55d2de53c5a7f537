"""The audit stream's chain in Redis: written in each transition's own script, by each that audits."""

from __future__ import annotations

from importlib.resources import files

import pytest

from desk import Desk
from guardtier import Outcome
from guardtier.store.chain import Checker, Fault, Kind, Link
from guardtier.store.connection import wire_to
from guardtier.store.keys import POLICIES, all_keys
from guardtier.store.scripts import script
from tier import StartTier, Tier, high, low

SCRIPTS = sorted(
    file.name.removesuffix(".lua")
    for file in files("guardtier.store.scripts").iterdir()
    if file.name.endswith(".lua") and file.name not in ("prelude.lua", "audit.lua")
)


async def check(desk: Desk | Tier, key: str, chain: str) -> list[Fault]:
    wire, checker = wire_to(desk.redis, answer_seconds=5.0), Checker()
    lines, kept = await wire.round_trip([("XRANGE", key, "-", "+"), ("GET", chain)])
    await wire.close()
    faults = []
    for entry, flat in lines:
        pairs = iter(flat)
        faults += checker.line(entry.decode(), [*zip(pairs, pairs, strict=True)])
    return [*faults, *checker.end(), *checker.tail(Link.read(kept))]


async def faults_of(desk: Desk) -> list[Fault]:
    return await check(desk, desk.keys.audit, desk.keys.chain)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_that_audit_are_known_and_no_others(name: str) -> None:
    text = (files("guardtier.store.scripts") / f"{name}.lua").read_text()
    calls = [line for line in text.splitlines() if "audit(" in line and not line.lstrip().startswith("--")]

    assert script(name).audits == bool(calls)
    assert ("local function audit(" in script(name).source) == bool(calls)


async def test_every_line_is_chained_on_each_server(desk: Desk) -> None:
    for number in range(20):
        action = desk.action(arguments={"n": number, "über": "ü\udcff".encode("utf-8", "replace").decode()})
        await desk.assess(action)
        await desk.decide(action, "parked" if number % 2 else "released")

    lines = await desk.redis.xrange(desk.keys.audit)

    assert [int(fields[b"n"]) for _, fields in lines] == list(range(1, 41))
    assert [*lines[0][1]][-2:] == [b"n", b"h"]
    assert await faults_of(desk) == []


async def test_a_whole_tiers_streams_hang_together(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    clients = [tier.client(client_id=f"c-{number}") for number in range(4)]
    for client in clients:
        await client.check(low())
        parked = high()
        submitted = await client.submit(parked)
        await tier.approver().approve(submitted.id)
        assert (await client.redeem(parked)).outcome is Outcome.APPROVED
    await tier.idle()

    for keys in all_keys(2):
        assert await check(tier, keys.audit, keys.chain) == []


async def test_what_is_changed_in_redis_is_found_in_redis(desk: Desk) -> None:
    for _ in range(5):
        await desk.assess(desk.action())
    (first, second, third, *_) = [entry for entry, _ in await desk.redis.xrange(desk.keys.audit)]

    await desk.redis.xdel(desk.keys.audit, third)
    assert [(fault.kind, fault.n) for fault in await faults_of(desk)] == [(Kind.MISSING, 3)]

    await desk.redis.xadd(desk.keys.audit, {"id": "a.0", "event": "released"})
    assert Kind.INSERTED in {fault.kind for fault in await faults_of(desk)}
    assert first < second


async def test_a_cut_tail_is_missed(desk: Desk) -> None:
    for _ in range(5):
        await desk.assess(desk.action())
    last = (await desk.redis.xrevrange(desk.keys.audit, count=1))[0][0]

    await desk.redis.xdel(desk.keys.audit, last)

    assert [(fault.kind, fault.n) for fault in await faults_of(desk)] == [(Kind.TRUNCATED, 5)]


@pytest.mark.parametrize("wreck", ["DEL", "LIST", "text", "big"])
async def test_a_chain_that_cannot_be_read_stops_nobody_and_is_seen(desk: Desk, wreck: str) -> None:
    for _ in range(3):
        await desk.assess(desk.action())
    key = desk.keys.chain
    await desk.redis.delete(key)
    if wreck == "LIST":
        await desk.redis.lpush(key, "x")
    elif wreck != "DEL":
        await desk.redis.set(key, {"text": "7 rubbish", "big": "9" * 1000}[wreck])

    done = await desk.assess(desk.action())
    await desk.assess(desk.action())

    assert done.what == "assessed"
    assert [(fault.kind, fault.n) for fault in await faults_of(desk)] == [(Kind.RESTARTED, 1)]


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
async def test_values_of_every_length_are_hashed_as_redis_does(desk: Desk, size: int) -> None:
    delivery = await desk.given(desk.keys.answers, POLICIES, id="a1.0")
    await desk.ledger.done(delivery, says=("tested", "a" * size, b"\xff" * size))

    assert await faults_of(desk) == []


async def test_old_lines_without_a_chain_stay_as_they_are(desk: Desk) -> None:
    await desk.redis.xadd(desk.keys.audit, {"id": "old.0", "event": "released"})
    await desk.assess(desk.action())

    assert await faults_of(desk) == []
