"""Sentinels name the master: the tier goes on with the next one, and what ran is on a replica before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError  # noqa: A004 - redis' own

from guardtier import Outcome
from guardtier.errors import TierUnavailable
from guardtier.store.connection import connect, wire_to
from servers import Replicated
from tier import StartTier, high, low
from waiting import until


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    with Replicated(tmp_path / "redis", replicas=2, sentinels=1) as servers:
        yield servers


async def test_a_killed_master_is_replaced_and_everybody_goes_on(
    replicated: Replicated, start_tier: StartTier
) -> None:
    tier = await start_tier(url=replicated.url)
    guard = tier.client(replicas=1)
    waiting = asyncio.create_task(tier.client().check(high(), timeout=90))
    (record,) = await tier.parked(1)
    before = await guard.check(low("before"))

    replicated.master.kill()

    assert (await guard.check(low("meanwhile"), timeout=90)).allowed
    await tier.approver().approve(record.id)
    assert (await waiting).outcome is Outcome.APPROVED
    assert (await guard.poll(before.id)).verdict == before


async def test_a_verdict_that_no_replica_has_allows_nothing(
    replicated: Replicated, start_tier: StartTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis answers before its replicas have it: who asks for replicas waits until they do."""
    tier = await start_tier(url=replicated.url)
    monkeypatch.setenv("GUARDTIER_REPLICAS", "2")
    guard, other = tier.client(), tier.client(replicas=0)
    for one in replicated.replicas:
        one.pause()
    try:
        with pytest.raises(TierUnavailable, match="0 of 2 replicas"):
            await guard.check(low("alone"), timeout=5)
        assert (await other.check(low("trusting"))).allowed
    finally:
        for one in replicated.replicas:
            one.go_on()

    assert (await guard.check(low("together"), timeout=90)).allowed


async def test_all_connections_leave_a_master_that_was_replaced_while_it_hung(
    replicated: Replicated,
) -> None:
    """It wakes up and still calls itself master: what one connection has learnt, all of them heed."""
    old, newer = connect(replicated.url), connect(replicated.url)
    wire = wire_to(old, answer_seconds=5.0)
    await wire.round_trip([("SET", "known", "to all")])
    await old.get("known")

    replicated.master.pause()
    await until(lambda: asyncio.to_thread(_is_replaced, replicated), 90.0)
    await newer.set("known", "to the new one")
    replicated.master.go_on()

    assert await wire.round_trip([("GET", "known")]) == [b"to the new one"]
    assert await old.get("known") == b"to the new one"
    await wire.close()
    await old.aclose()
    await newer.aclose()


async def test_what_a_replaced_master_says_late_is_not_believed(replicated: Replicated) -> None:
    """It hung with the question, and answers when it wakes up: that something is not there, for one."""
    old, newer = connect(replicated.url, answer_seconds=None), connect(replicated.url)
    wire = wire_to(old, answer_seconds=90.0)
    await wire.round_trip([("DEL", "since")])
    await old.get("since")

    replicated.master.pause()
    asking = asyncio.create_task(old.get("since")), asyncio.create_task(wire.round_trip([("GET", "since")]))
    await until(lambda: asyncio.to_thread(_is_replaced, replicated), 90.0)
    await newer.set("since", "known")
    replicated.master.go_on()

    said = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, ConnectionError) for one in said), said
    assert await wire.round_trip([("GET", "since")]) == [b"known"]
    assert await old.get("since") == b"known"
    await wire.close()
    await old.aclose()
    await newer.aclose()


def test_all_clients_share_one_kind_of_connection() -> None:
    """A class for each would stay for as long as the process does."""
    one, other = (connect("redis+sentinel://127.0.0.1:1/tier") for _ in range(2))

    assert one.connection_pool.connection_class is other.connection_pool.connection_class


async def test_without_a_master_connecting_says_so() -> None:
    redis = connect("redis+sentinel://127.0.0.1:1/tier")

    with pytest.raises(ConnectionError, match="No master found for 'tier'"):
        await redis.ping()
    await redis.aclose()


def _is_replaced(servers: Replicated) -> bool:
    leader = servers.leader()
    return leader is not None and leader is not servers.master
