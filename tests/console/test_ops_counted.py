"""What the metrics count of the audit streams: each line once, in a flood, and after Redis was away."""

from __future__ import annotations

import asyncio

import pytest

from console.test_ops_probes import ready, scraped, value
from consoles import Desk, StartConsole
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from guardtier_workers.console.board.board import Board
from guardtier_workers.console.ops.details import Detail, Details
from guardtier_workers.console.ops.onward import Onward
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, Tier, high
from waiting import until


async def test_a_flood_of_parked_actions_is_counted(tier: Tier, console: Desk) -> None:
    await ready(console)
    await tier.client().submit(high())
    (record,) = await tier.parked()
    many = tier.redis.pipeline(transaction=False)
    for _ in range(9_999):  # the same line, as of so many actions
        many.xadd(Keys(0).audit, {"id": record.id, "event": "parked", "fleet": "web", "policy": "x"})
    await many.execute()

    async def all_counted() -> bool:
        return value(await scraped(console), "guardtier_parkings_total", risk="HIGH") == 10_000

    await until(all_counted, timeout=90.0)


async def test_what_redis_did_not_tell_is_asked_once_it_is_back(
    own_server: EmbeddedRedis, start_tier: StartTier, caplog: pytest.LogCaptureFixture
) -> None:
    tier = await start_tier(url=own_server.url)
    await tier.client().submit(high())
    (record,) = await tier.parked()
    found: list[Detail] = []
    details = Details(tier.redis, 1, found.append)
    own_server.kill()
    running = asyncio.create_task(details.run())
    details.ask(record.id, "parked", 1)
    details.ask(record.id, "parked", 2)
    await until(lambda: "Redis does not answer" in caplog.text)
    own_server.start()

    await until(lambda: len(found) == 2)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [(one.id, one.at, one.risk) for one in found] == [(record.id, 1, "HIGH"), (record.id, 2, "HIGH")]


async def test_a_stream_that_is_older_than_what_was_counted_is_not_counted_again(tier: Tier) -> None:
    key, seen = Keys(0).audit, []
    for number in range(3):  # before it began
        await tier.redis.xadd(key, {"n": number})
    onward = Onward(tier.url, key, lambda _, fields: seen.append(fields[b"n"]))
    await onward.start()
    lost = await tier.redis.xadd(key, {"n": 3})
    await until(lambda: seen)
    await tier.redis.xdel(key, lost)  # as in a copy that was restored
    await tier.redis.client_kill_filter(_type="normal", skipme=True)
    await until(lambda: onward.tail.trouble is not None)
    await until(lambda: onward.tail.trouble is None, timeout=90.0)

    await tier.redis.xadd(key, {"n": 4})

    await until(lambda: b"4" in seen)
    await onward.close()
    assert seen == [b"3", b"4"]


async def test_where_more_waits_than_is_counted_it_says_so(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Board.__init__.__kwdefaults__, "most", 1)
    for command in ("rm a", "rm b"):
        await tier.client().submit(high(command))
    await tier.parked(2)
    desk = await start_console(tier)
    await ready(desk)
    alice = await desk.browser("alice")

    assert value(await scraped(desk), "guardtier_board_cut") == 1
    assert (await alice.get("/api/v1/fleets")).json()["cut"] is True
    assert "More waits than the console holds" in (await alice.get("/fleets")).text


async def test_where_the_redis_of_the_pools_hangs_the_tiers_own_is_told(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    done = asyncio.Event()

    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    hangs = await asyncio.start_server(never, "127.0.0.1", 0)
    arq = f"redis://127.0.0.1:{hangs.sockets[0].getsockname()[1]}/0"
    tier = await start_tier(
        analyzers=0, policies=0, analyzer={"llm": {"placement": "pool:heavy"}}, arq_url=arq
    )
    desk = await start_console(tier)
    await ready(desk)

    found = await scraped(desk)

    done.set()
    hangs.close()
    assert value(found, "guardtier_redis_up") == 1
    assert value(found, "guardtier_pool_up", pool="heavy") == 0
    assert value(found, "guardtier_steward_up") == 0


async def test_whether_a_steward_takes_its_jobs_is_told(tier: Tier, console: Desk) -> None:
    await ready(console)
    assert value(await scraped(console), "guardtier_steward_up") == 0

    viewer = await console.browser("vera", may=[Right.SEE])
    assert "No steward takes its jobs" in (await viewer.get("/workers")).text
    assert (await viewer.get("/api/v1/workers")).json()["steward"] is False

    await tier.arq(cron=True)

    async def told() -> bool:
        return value(await scraped(console), "guardtier_steward_up") == 1

    await until(told)
    assert "No steward takes its jobs" not in (await viewer.get("/workers")).text
    assert (await viewer.get("/api/v1/workers")).json()["steward"] is True


async def test_what_was_turned_away_is_counted_by_its_number(tier: Tier, console: Desk) -> None:
    await ready(console)
    line = {"id": "web", "event": "turned_away", "fleet": "web", "why": "queue_full"}
    for count in ("250", "17", "-1", "1e9", "many", "9" * 30):
        await tier.redis.xadd(Keys(0).audit, line | {"count": count})
    await tier.redis.xadd(Keys(0).audit, line | {"count": "1", "why": "made up"})

    async def counted() -> bool:
        return value(await scraped(console), "guardtier_turned_away_total", why="queue_full") == 267

    await until(counted)
