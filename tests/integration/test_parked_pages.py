"""Pages of the confirmation set: bounded work, and nothing is left out between two of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from guardtier import ApproverClient, Assessment, SecurityRisk
from guardtier.approver_looks import LOOK_AT
from guardtier.errors import InvalidAction, UnreadableRecord
from guardtier.store.cursor import Cursor
from guardtier.store.keys import Keys
from guardtier.store.parked import (
    COUNT_SCAN,
    PAGE_BYTES,
    SCAN,
    ParkedPage,
    Wanted,
    parked_count,
    parked_page,
)
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Records

KEYS = Keys(0)
MINE = frozenset({"mine"})


@pytest.fixture
async def redis(any_redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(any_redis_url) as redis:
        yield redis


@pytest.fixture
async def pipe(redis: Redis) -> AsyncIterator[CommandPipe]:
    opened = CommandPipe(redis, insist=False)
    yield opened
    await opened.close()


async def put(
    redis: Redis, *ids: str, fleet: str = "mine", deadline: int = 100, event: bytes = b"{}"
) -> None:
    """Parked actions, as a page reads them."""
    pipeline = redis.pipeline()
    for action_id in ids:
        pipeline.zadd(KEYS.parked, {action_id: deadline})
        pipeline.hset(
            KEYS.action(action_id),
            mapping={
                "state": "parked",
                "fleet": fleet,
                "waiters": "c1",
                "digest": "0" * 64,
                "event": event,
                "entry": "1-0",
                "assessment": Assessment(risk=SecurityRisk.HIGH).to_json(),
            },
        )
    await pipeline.execute()


def ids(page: ParkedPage) -> list[str]:
    return [record.id for record in page.records]


async def all_ids(redis: Redis, wanted: Wanted, *, limit: int = 100) -> list[str]:
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await parked_page(redis, KEYS, wanted, after=after, limit=limit)
        found, after = found + ids(page), page.after
    return found


async def test_pages_leave_nothing_out_where_many_have_one_deadline(redis: Redis) -> None:
    every = [f"a{number:04}.0" for number in range(25)]
    await put(redis, *every)

    for limit in (1, 7, 25):
        assert await all_ids(redis, Wanted(), limit=limit) == every


async def test_more_of_one_deadline_than_one_look_takes(redis: Redis) -> None:
    every = [f"a{number:05}.0" for number in range(2 * SCAN + 10)]
    await put(redis, *every)

    assert await all_ids(redis, Wanted()) == every
    assert await all_ids(redis, Wanted(MINE)) == every


async def test_what_is_decided_meanwhile_moves_no_page(redis: Redis) -> None:
    await put(redis, "a1.0", "a2.0", "a3.0", "a4.0")
    page = await parked_page(redis, KEYS, Wanted(), limit=2)
    await redis.zrem(KEYS.parked, "a1.0", "a2.0")  # the cursor's own among them

    assert ids(await parked_page(redis, KEYS, Wanted(), after=page.after or "")) == ["a3.0", "a4.0"]


async def test_what_is_decided_while_pages_are_read_hides_no_other(redis: Redis) -> None:
    decided, waiting = (
        [f"a{number:04}.0" for number in range(600)],
        [f"b{number:03}.0" for number in range(99)],
    )
    await put(redis, *decided)
    await put(redis, *waiting, deadline=200)

    async def decide() -> None:
        for action_id in decided:
            await redis.zrem(KEYS.parked, action_id)

    deciding = asyncio.create_task(decide())
    found = await all_ids(redis, Wanted(), limit=10)
    await deciding

    assert [action_id for action_id in found if action_id in waiting] == waiting


async def test_what_was_given_more_time_is_no_cursor_any_more(redis: Redis) -> None:
    await put(redis, "a1.0", "a2.0", "a3.0")
    page = await parked_page(redis, KEYS, Wanted(), limit=2)
    await put(redis, "a2.0", deadline=500)

    assert ids(await parked_page(redis, KEYS, Wanted(), after=page.after or "")) == ["a3.0", "a2.0"]


async def test_a_page_looks_at_so_many_and_says_where_to_go_on(redis: Redis) -> None:
    await put(redis, *(f"a{number:04}.0" for number in range(SCAN)), fleet="theirs")
    await put(redis, "z1.0", deadline=200)
    wanted = Wanted(MINE)

    first = await parked_page(redis, KEYS, wanted)

    assert (ids(first), first.after is None) == ([], False)
    last = await parked_page(redis, KEYS, wanted, after=first.after or "")
    assert (ids(last), last.after) == (["z1.0"], None)


async def test_counting_goes_on_where_it_stopped(redis: Redis, pipe: CommandPipe) -> None:
    await put(redis, *(f"a{number:04}.0" for number in range(COUNT_SCAN)))
    await put(redis, *(f"b{number}.0" for number in range(3)), deadline=200)
    await put(redis, "c1.0", fleet="theirs", deadline=300)

    counted, after = await parked_count(redis, pipe, KEYS, MINE)
    more, end = await parked_count(redis, pipe, KEYS, MINE, after=after or "")

    assert (counted, more, end) == (COUNT_SCAN, 3, None)
    assert await parked_count(redis, pipe, KEYS, None) == (COUNT_SCAN + 4, None)


async def test_a_count_looks_at_so_many_and_says_that_there_may_be_more(
    redis: Redis, any_redis_url: str
) -> None:
    await put(redis, *(f"a{number:04}.0" for number in range(COUNT_SCAN)), fleet="theirs")
    await put(redis, "z1.0", "z2.0", deadline=200)
    await redis.set(KEYS.action("damaged.0"), "no record")
    await redis.zadd(KEYS.parked, {"damaged.0": 300})

    async with ApproverClient(any_redis_url) as reader:
        looked = await reader.counted(fleet="theirs", look_at=1)
        far = await reader.counted(fleet="theirs")

        assert (looked, looked.words) == ((COUNT_SCAN, False), f"{COUNT_SCAN} or more")
        assert (far, far.words) == ((COUNT_SCAN, True), str(COUNT_SCAN))
        assert await reader.counted(fleet="mine") == (2, True)
        assert await reader.counted() == (COUNT_SCAN + 3, True)


async def test_counting_is_bounded_unless_it_is_to_look_at_all(redis: Redis, any_redis_url: str) -> None:
    await put(redis, *(f"a{number:04}.0" for number in range(COUNT_SCAN)), fleet="theirs")
    await put(redis, "z1.0", fleet="theirs", deadline=200)

    async with ApproverClient(any_redis_url, partitions=LOOK_AT // COUNT_SCAN) as reader:
        assert await reader.count(fleet="theirs") == COUNT_SCAN
        assert await reader.counted(fleet="theirs") == (COUNT_SCAN, False)
        assert await reader.counted(fleet="theirs", look_at=None) == (COUNT_SCAN + 1, True)


async def test_a_page_ends_before_it_is_too_large(redis: Redis) -> None:
    await put(redis, "a1.0", event=b"x" * (2 * PAGE_BYTES))
    await put(redis, "a2.0", "a3.0", "a4.0", event=b"x" * (PAGE_BYTES // 2 - 1000))

    pages = [ids(page := await parked_page(redis, KEYS, Wanted()))]
    while page.after is not None:
        page = await parked_page(redis, KEYS, Wanted(), after=page.after)
        pages.append(ids(page))

    assert pages == [["a1.0"], ["a2.0", "a3.0"], ["a4.0"]]


async def test_a_damaged_record_hides_no_other(redis: Redis) -> None:
    await put(redis, "a1.0", "a2.0", "a3.0")
    await redis.hset(KEYS.action("a2.0"), "assessment", "damaged")

    page = await parked_page(redis, KEYS, Wanted(fleets=MINE))

    assert [record.id for record in page.records] == ["a1.0", "a3.0"]
    with pytest.raises(UnreadableRecord, match=r"a2\.0 is damaged"):
        await Records(redis, 1).get("a2.0")


async def test_ghosts_and_what_is_decided_are_left_out(redis: Redis) -> None:
    await put(redis, "a1.0", "a2.0", "a3.0")
    await redis.delete(KEYS.action("a1.0"))
    await redis.hset(KEYS.action("a2.0"), "state", "approved")

    assert await all_ids(redis, Wanted()) == ["a3.0"]
    assert await all_ids(redis, Wanted(MINE)) == ["a3.0"]


@pytest.mark.parametrize("after", ["-inf", "1", "1:", ":a1.0", "1:a1.0\n", "1:a 1.0", "9" * 17 + ":a1.0"])
async def test_a_cursor_that_no_page_gave_is_refused(redis: Redis, after: str) -> None:
    with pytest.raises(InvalidAction, match="after"):
        await parked_page(redis, KEYS, Wanted(), after=after)


def test_a_cursor_reads_what_it_wrote() -> None:
    cursor = Cursor(1_700_000_000_000, "a1.0")

    assert Cursor.read(str(cursor)) == cursor
