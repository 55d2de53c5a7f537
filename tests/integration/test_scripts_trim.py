"""Trimming and retiring: what anybody still needs stays."""

from __future__ import annotations

import random

import pytest
from redis.exceptions import ResponseError

from desk import CONSUMER, Desk
from guardtier.store.keys import ANALYZERS, POLICIES
from guardtier.store.upkeep import Upkeep, retire, trim

ENTRIES = 40


async def filled(desk: Desk, count: int = 5) -> list[bytes]:
    return [await desk.redis.xadd(desk.keys.assessed, {"n": n}) for n in range(count)]


async def left(desk: Desk) -> list[bytes]:
    return [entry for entry, _ in await desk.redis.xrange(desk.keys.assessed)]


async def read(desk: Desk, count: int, group: str = POLICIES) -> None:
    await desk.redis.xreadgroup(group, CONSUMER, {desk.keys.assessed: ">"}, count=count)


async def done(desk: Desk, *entries: bytes, group: str = POLICIES) -> None:
    await desk.redis.xack(desk.keys.assessed, group, *entries)


async def test_what_nobody_has_read_stays(desk: Desk) -> None:
    entries = await filled(desk)

    assert await trim(desk.pipe, desk.keys.assessed) == 0
    assert await left(desk) == entries


async def test_finished_entries_go_up_to_the_oldest_in_work(desk: Desk) -> None:
    entries = await filled(desk)
    await read(desk, 4)
    await done(desk, entries[0], entries[1], entries[3])

    assert await trim(desk.pipe, desk.keys.assessed) == 2
    assert await left(desk) == entries[2:]  # the third is in work, the fifth unread


async def test_when_all_is_finished_nothing_stays_and_numbers_go_on(desk: Desk) -> None:
    entries = await filled(desk)
    await read(desk, 5)
    await done(desk, *entries)

    assert await trim(desk.pipe, desk.keys.assessed) == 5
    assert await left(desk) == []
    with pytest.raises(ResponseError, match="equal or smaller"):
        await desk.redis.xadd(desk.keys.assessed, {"n": 1}, id=entries[-1])


async def test_an_entry_with_the_highest_number_there_is_breaks_nothing(desk: Desk) -> None:
    await desk.redis.xadd(desk.keys.assessed, {"n": 1}, id="5-18446744073709551615")
    await read(desk, 1)
    await done(desk, "5-18446744073709551615")

    assert await trim(desk.pipe, desk.keys.assessed) == 0


async def test_the_slowest_group_decides(desk: Desk) -> None:
    await desk.redis.xgroup_create(desk.keys.assessed, "others", id="0")
    entries = await filled(desk)
    await read(desk, 5)
    await done(desk, *entries)
    await read(desk, 3, group="others")
    await done(desk, *entries[1:3], group="others")

    assert await trim(desk.pipe, desk.keys.assessed) == 0  # the first is in their work
    await done(desk, entries[0], group="others")
    assert await trim(desk.pipe, desk.keys.assessed) == 3
    assert await left(desk) == entries[3:]


async def test_entries_of_one_millisecond_are_told_apart(desk: Desk) -> None:
    for sequence in (9, 10, 11):
        await desk.redis.xadd(desk.keys.assessed, {"n": 1}, id=f"5-{sequence}")
    await desk.redis.xgroup_create(desk.keys.assessed, "others", id="5-9")
    await read(desk, 3)
    await done(desk, "5-9", "5-10", "5-11")

    await trim(desk.pipe, desk.keys.assessed)

    assert await left(desk) == [b"5-10", b"5-11"]


async def test_without_a_group_nothing_is_finished(desk: Desk) -> None:
    entries = await filled(desk)
    await desk.redis.xgroup_destroy(desk.keys.assessed, POLICIES)

    assert await trim(desk.pipe, desk.keys.assessed) == 0
    assert await left(desk) == entries


async def test_a_stream_that_is_not_there_is_no_error(desk: Desk) -> None:
    assert await trim(desk.pipe, "gt:{0}:actions:nobody") == 0


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_was_read_and_finished_what_is_needed_stays(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    entries = await filled(desk, ENTRIES)
    seen = chance.randint(1, ENTRIES)
    await read(desk, seen)
    finished = {entry for entry in entries[:seen] if chance.random() < 0.7}
    await done(desk, *finished, b"0-1")

    await trim(desk.pipe, desk.keys.assessed)

    assert set(entries) - finished <= set(await left(desk))
    pending = await desk.redis.xpending(desk.keys.assessed, POLICIES)
    assert pending["pending"] == seen - len(finished)


async def test_a_consumer_that_holds_something_stays(desk: Desk) -> None:
    stream = desk.keys.actions("web")
    entry = await desk.asked(desk.action(), "submit")

    assert not await retire(desk.pipe, stream, ANALYZERS, CONSUMER)
    assert await desk.pending(entry)

    await desk.redis.xack(stream, ANALYZERS, entry.entry)
    assert await retire(desk.pipe, stream, ANALYZERS, CONSUMER)
    assert await desk.redis.xinfo_consumers(stream, ANALYZERS) == []


async def test_idle_consumers_go_and_those_that_hold_something_stay(desk: Desk) -> None:
    stream = desk.keys.actions("web")
    await desk.asked(desk.action(), "submit")
    await desk.redis.xreadgroup(ANALYZERS, "idler", {stream: ">"})

    retired = await Upkeep(desk.redis, 1).retire_idle(stream, ANALYZERS, 0)

    names = [c["name"].decode() for c in await desk.redis.xinfo_consumers(stream, ANALYZERS)]
    assert CONSUMER in names
    assert "idler" not in names
    assert retired <= 1
