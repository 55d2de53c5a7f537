"""Redis lives and takes nothing: agents are told why at once or when their time is up, workers wait, and
everything goes on by itself after. Nothing is half written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardtier.errors import TierUnavailable
from guardtier.store.keys import Keys
from servers import Server
from tier import Gate, StartTier, Tier, low, only
from waiting import until

LINES = ("appendonly yes", "appendfsync everysec", 'save ""', "busy-reply-threshold 50")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "redis", *LINES) as server:
        yield server


@pytest.fixture
async def tier(start_tier: StartTier, server: Server) -> Tier:
    return await start_tier(url=server.url)


async def test_a_full_disk_is_said_and_passes(tier: Tier, server: Server) -> None:
    guard = tier.client()
    await guard.check(low("before"))

    server.limit_files(server.info("persistence")["aof_current_size"])
    await until(lambda: asyncio.to_thread(_is_full, server))
    with pytest.raises(TierUnavailable, match="Redis refuses writes: MISCONF"):
        await guard.check(low("meanwhile"))
    server.limit_files(None)
    await until(lambda: asyncio.to_thread(_takes_writes, server))

    assert (await guard.check(low("after"))).allowed


async def test_a_worker_that_can_not_write_its_rating_writes_it_later(
    start_tier: StartTier, server: Server
) -> None:
    """Out of memory in the middle of an action: nothing is written nor acknowledged; then all of it."""
    gate = Gate()
    tier = await start_tier(url=server.url, analyzers=0)
    await tier.analyzer(analyzers=only(gate))
    guard = tier.client()
    waiting = asyncio.create_task(guard.check(low("rated meanwhile")))
    await until(lambda: gate.entered)

    server.ask("CONFIG", "SET", "maxmemory", 1)
    gate.open.set()
    await until(lambda: tier.workers[-1].worker.lanes[0].pipe.trouble)
    with pytest.raises(TierUnavailable, match="out of memory"):
        await tier.client().check(low("another"))
    assert await tier.audit() == []
    assert [key async for key in tier.redis.scan_iter(match=Keys(0).action("*"))] == []
    server.ask("CONFIG", "SET", "maxmemory", 0)

    assert (await waiting).allowed
    assert [line["event"] for line in await tier.audit()] == ["assessed", "released"]


async def test_groups_that_are_gone_and_can_not_be_made_again_yet_end_no_worker(
    tier: Tier, server: Server
) -> None:
    """As where a cluster's slot moves away: streams go under the workers that read them."""
    server.ask("CONFIG", "SET", "maxmemory", 1)
    server.ask("DEL", Keys(0).actions("web"), Keys(0).strays, Keys(0).assessed, Keys(0).answers)
    await until(lambda: server.info("commandstats")["cmdstat_hsetnx"]["rejected_calls"] >= 2)
    assert not [running for running in tier.workers if running.task.done()]
    server.ask("CONFIG", "SET", "maxmemory", 0)
    await until(lambda: server.ask("EXISTS", Keys(0).actions("web"), Keys(0).assessed) == 2)

    assert (await tier.client().check(low("after"))).allowed


async def test_a_master_without_its_replicas_refuses_where_it_must_have_them(
    tier: Tier, server: Server
) -> None:
    guard = tier.client()
    server.ask("CONFIG", "SET", "min-replicas-to-write", 1)

    with pytest.raises(TierUnavailable, match="Redis refuses writes: NOREPLICAS"):
        await guard.check(low("alone"))
    server.ask("CONFIG", "SET", "min-replicas-to-write", 0)

    assert (await guard.check(low("again"))).allowed


async def test_a_slow_script_of_others_is_waited_for(tier: Tier, server: Server) -> None:
    guard = tier.client()
    await guard.check(low("before"))
    slow = asyncio.create_task(asyncio.to_thread(_run_until_killed, server))
    await until(lambda: asyncio.to_thread(_is_busy, server))

    waiting = asyncio.create_task(guard.check(low("meanwhile"), timeout=90))
    await until(lambda: guard.trouble)
    assert "BUSY" in str(guard.trouble)
    await asyncio.to_thread(server.ask, "SCRIPT", "KILL")

    assert (await waiting).allowed
    await slow


def _is_full(server: Server) -> bool:
    try:
        server.ask("SET", "filler", "x" * 100)
    except Exception as error:
        return "MISCONF" in str(error)
    return False


def _takes_writes(server: Server) -> bool:
    try:
        return bool(server.ask("SET", "filler", ""))
    except Exception:
        return False


def _is_busy(server: Server) -> bool:
    try:
        server.ask("PING")
    except Exception as error:
        return "BUSY" in str(error)
    return False


def _run_until_killed(server: Server) -> None:
    with pytest.raises(Exception, match=r"(?i)kill"):
        server.ask("EVAL", "while true do end", 0, seconds=60.0)
