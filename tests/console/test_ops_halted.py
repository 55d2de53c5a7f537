"""What is halted, as it is: in every partition, and at once."""

from __future__ import annotations

import asyncio

from consoles import StartConsole
from guardtier.store.keys import Keys
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.console.ops.readings import Kept
from tier import StartTier
from waiting import until


async def test_partitions_that_are_halted_in_two_ways_are_told(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(partitions=2)
    desk = await start_console(tier)
    olga = await desk.browser("olga", may=OPERATES)
    for then in ("reject", "park"):  # of two at the same moment, each was the last in one partition
        made = await olga.post("/api/v1/halts", json={"fleet": "web", "reason": "stop", "then": then})
        assert made.status_code == 200, made.text
        if then == "reject":
            theirs = await tier.redis.hget(Keys(1).halts, "web")
    await tier.redis.hset(Keys(1).halts, "web", theirs)
    same = {"fleet": "web", "agent": "agent-1", "reason": "stop"}
    await olga.post("/api/v1/halts", json=same)

    (fleet, agent) = (await olga.get("/api/v1/halts")).json()["halts"]

    assert (fleet["differs"], agent["differs"]) == (True, False)
    page = (await olga.get("/fleets")).text
    assert "parked in some partitions and rejected in others" in page
    resumed = await olga.post("/api/v1/halts/resume", json={"fleet": "web", "lifts": fleet["lifts"]})
    assert resumed.json()["lifted"] == 2


async def test_what_was_read_before_a_change_is_not_kept() -> None:
    reads: list[asyncio.Event] = []

    async def read() -> int:
        number = len(reads)
        reads.append(asyncio.Event())
        await reads[number].wait()
        return number

    kept = Kept(read)
    first = asyncio.create_task(kept.get())
    await until(lambda: reads)
    kept.forget()  # somebody halts while it is being read
    reads[0].set()
    assert await first == 0

    second = asyncio.create_task(kept.get())
    await until(lambda: second.done() or len(reads) == 2)
    assert len(reads) == 2
    reads[1].set()
    assert await second == 1
