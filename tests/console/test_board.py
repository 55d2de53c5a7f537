"""The board: what is parked, in memory, as it changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from guardtier import ActionEvent
from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier.store.connection import connect
from guardtier.store.keys import Keys
from guardtier_workers.console.board import feeds, follower
from guardtier_workers.console.board.board import Board
from guardtier_workers.console.board.change import Change, Ended
from guardtier_workers.console.board.filters import Filter
from guardtier_workers.console.show.row import order_text, read_order
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, Tier, high, low, unknown
from waiting import until

EVERYBODY = Me(name="ann", principal="ann", fleets=("*",), may=("answer",))
TWO_FLEETS = {"fleets": {"web": {}, "data": {}}}
ALL = Filter()

StartBoard = Callable[..., Awaitable[Board]]


def of_fleet(fleet: str, *may: str) -> Me:
    return Me(name="bob", principal="bob", fleets=(fleet,), may=may or ("answer",))


@pytest.fixture
async def start_board() -> AsyncIterator[StartBoard]:
    async with AsyncExitStack() as boards:

        async def start(tier: Tier, **own: int) -> Board:
            redis = connect(tier.url)
            boards.push_async_callback(redis.aclose)
            board = Board(tier.url, redis, tier.settings.partitions, **own)
            await boards.enter_async_context(board.followed())
            async with asyncio.timeout(90):
                await board.loaded.wait()
            return board

        yield start


async def told(changes: AsyncIterator[Change], wanted: Callable[[Change], object]) -> Change:
    """The first change that is as wanted."""
    async with asyncio.timeout(90):
        async for change in changes:
            if wanted(change):
                return change
    raise AssertionError("the changes ended")


async def test_what_was_parked_before_is_there(tier: Tier, start_board: StartBoard) -> None:
    parked = await tier.client().submit(high("rm -rf /data"))
    await tier.client().submit(low())

    board = await start_board(tier)

    assert board.is_live
    assert board.trouble is None
    [item] = board.items(ALL, EVERYBODY)
    assert (item.id, item.headline, item.risk) == (parked.id, "rm -rf /data", SecurityRisk.HIGH)
    assert board.get(parked.id) is item
    assert board.total(EVERYBODY) == 1


async def test_the_riskiest_come_first_and_of_those_the_newest(tier: Tier, start_board: StartBoard) -> None:
    board = await start_board(tier)
    agent = tier.client()
    for command, make in (("one", high), ("two", unknown), ("three", high)):
        await agent.submit(make(command))

    await until(lambda: len(board.items(ALL, EVERYBODY)) == 3)

    found = board.items(ALL, EVERYBODY)
    assert [item.headline for item in found] == ["three", "one", "two"]
    positions = [order_text(item.order) for item in found]
    assert positions == sorted(positions)
    assert [read_order(text) for text in positions] == [item.order for item in found]
    assert board.counts(EVERYBODY) == {"HIGH": 2, "UNKNOWN": 1}


async def test_a_page_is_told_what_is_parked_and_what_became_of_it(
    tier: Tier, start_board: StartBoard
) -> None:
    board = await start_board(tier)
    with board.feed(ALL, EVERYBODY) as feed:
        parked = await tier.client().submit(high())
        first = await feed.next(90)
        await tier.approver("alice").approve(parked.id, digest=parked.digest)
        then = await feed.next(90)

    assert first is not None
    assert then is not None
    assert [item.id for item in first.rows] == [parked.id]
    assert (first.total, first.counts) == (1, {"HIGH": 1})
    assert [(one.id, one.state, one.by) for one in then.gone] == [(parked.id, "approved", "alice")]
    assert then.total == 0
    assert board.get(parked.id) is None


async def test_a_vote_that_decides_nothing_yet_is_told(
    start_tier: StartTier, start_board: StartBoard
) -> None:
    tier = await start_tier(fleets={"web": {"policy": {"kind": "always_confirm"}}})
    board = await start_board(tier)
    parked = await tier.client().submit(high())
    await until(lambda: board.get(parked.id))
    await tier.redis.hset(  # as a rule with a quorum would have left it
        Keys(0).action(parked.id), "terms", '{"approve": 2}'
    )

    changes = board.changes(ALL, EVERYBODY)
    waiting = asyncio.create_task(told(changes, lambda change: change.rows))
    await asyncio.sleep(0)
    await tier.approver("alice").approve(parked.id, digest=parked.digest)

    [item] = (await waiting).rows
    assert (item.given, item.needed) == (1, 2)


async def test_nobody_is_told_of_a_fleet_that_is_not_theirs(
    start_tier: StartTier, start_board: StartBoard
) -> None:
    tier = await start_tier(**TWO_FLEETS)
    board = await start_board(tier)
    with (
        board.feed(ALL, of_fleet("data")) as of_data,
        board.feed(ALL, of_fleet("data", "vouch")) as of_nobody,
    ):
        foreign = await tier.client("web").submit(high())
        own = await tier.client("data").submit(high(fleet="data"))
        await until(lambda: board.get(foreign.id) and board.get(own.id))
        change = await of_data.next(90)

        assert change is not None
        assert [item.id for item in change.rows] == [own.id]
        assert change.total == 1
        assert await of_data.next(0.2) is None
        assert await of_nobody.next(0) is None
    assert [item.id for item in board.items(ALL, of_fleet("data"))] == [own.id]
    assert board.items(ALL, of_fleet("data", "vouch")) == []


async def test_a_filter_takes_what_fits(tier: Tier, start_board: StartBoard) -> None:
    board = await start_board(tier)
    agent = tier.client()
    first = await agent.submit(high("dropdb orders", agent="ops", tool_name="psql"))
    await agent.submit(unknown("ls", agent="web-1"))
    await until(lambda: board.total(EVERYBODY) == 2)

    for wanted in (
        Filter(text="ORDERS"),
        Filter(agent="ops"),
        Filter(tool="psql"),
        Filter(risk=(SecurityRisk.HIGH,)),
        Filter(fleet="web", text="dropdb"),
    ):
        assert [item.id for item in board.items(wanted, EVERYBODY)] == [first.id]
    assert board.items(Filter(fleet="other"), EVERYBODY) == []


async def test_only_the_most_urgent_are_held_and_it_says_so(tier: Tier, start_board: StartBoard) -> None:
    agent = tier.client()
    for number in range(5):
        await agent.submit(high(f"command {number}"))
    # Of two that were parked within one millisecond, which is the first is told by their ids.
    urgent = await tier.redis.zrange(Keys(0).parked, 0, 2)

    board = await start_board(tier, most=3)

    assert board.is_cut
    assert {item.id for item in board.items(ALL, EVERYBODY)} == {name.decode() for name in urgent}


async def test_a_damaged_record_hides_no_other(tier: Tier, start_board: StartBoard) -> None:
    damaged = await tier.client().submit(high("one"))
    whole = await tier.client().submit(high("two"))
    await tier.redis.hset(Keys(0).action(damaged.id), "assessment", "no JSON")

    board = await start_board(tier)

    assert [item.id for item in board.items(ALL, EVERYBODY)] == [whole.id]
    assert board.is_live


async def test_a_page_that_takes_nothing_is_told_to_load_anew(tier: Tier, start_board: StartBoard) -> None:
    board = await start_board(tier)
    with board.feed(ALL, EVERYBODY) as feed:
        for number in range(60):
            feed.add(Change((), (), number, {}))

        change = await feed.next(1)

    assert change is not None
    assert change.must_reload
    assert change.total == 59


async def test_a_flood_has_pages_load_what_they_show(
    tier: Tier, start_board: StartBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_ROWS", 0)
    board = await start_board(tier)
    with board.feed(ALL, EVERYBODY) as feed:
        await tier.client().submit(high())
        change = await feed.next(90)

    assert change is not None
    assert change.must_reload
    assert (list(change.rows), change.total) == ([], 1)


async def test_the_feeds_end_with_the_console(tier: Tier, start_board: StartBoard) -> None:
    board = await start_board(tier)
    with board.feed(ALL, EVERYBODY) as feed:
        board.end()

        assert await feed.next(90) is None
        assert feed.has_ended
    assert [change async for change in board.changes(ALL, EVERYBODY)] == []


async def test_it_says_that_redis_is_away_and_catches_up(
    start_tier: StartTier, own_server: EmbeddedRedis, start_board: StartBoard
) -> None:
    tier = await start_tier(url=own_server.url)
    first = await tier.client().submit(high("one"))
    board = await start_board(tier)
    await tier.redis.hset(Keys(0).action(first.id), "terms", '{"approve": 2}')  # no audit line tells it

    own_server.kill()
    await until(lambda: not board.is_live)
    assert board.trouble
    assert board.get(first.id)
    own_server.start()
    second = await tier.client().submit(high("two"))

    await until(lambda: board.is_live and board.get(second.id))
    await until(lambda: (item := board.get(first.id)) and item.needed == 2)
    needed = {item.id: item.needed for item in board.items(ALL, EVERYBODY)}
    assert needed == {first.id: 2, second.id: 1}


async def test_what_no_audit_line_told_is_found_by_comparing(
    tier: Tier, start_board: StartBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "COMPARE_SECONDS", 0.05)
    lost = await tier.client().submit(high("one"))
    board = await start_board(tier)
    with board.feed(ALL, EVERYBODY) as feed:
        await tier.redis.zrem(Keys(0).parked, lost.id)  # as a Redis restored from an older copy
        await tier.redis.delete(Keys(0).action(lost.id))
        change = await feed.next(90)

    assert change is not None
    assert [(one.id, one.state) for one in change.gone] == [(lost.id, "gone")]
    assert board.get(lost.id) is None


async def test_a_key_that_is_no_record_hides_no_other(tier: Tier, start_board: StartBoard) -> None:
    shown, board = await tier.client().submit(high()), await start_board(tier)
    await tier.redis.set(Keys(0).action("bad.0"), "no hash")
    await tier.redis.zadd(Keys(0).parked, {"bad.0": 1, b"\xff.0": 2, "x" * 5000 + ".0": 3})
    again = await start_board(tier)

    later = await tier.client().submit(high("later"))
    await until(lambda: again.get(later.id))

    assert board.get(shown.id)
    assert again.get(shown.id)
    assert again.is_live


async def test_a_megabyte_is_read_beside_the_loop(
    tier: Tier, start_board: StartBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read it takes up to half a second, in which the console would answer nobody."""
    long = await tier.client().submit(high(arguments={"a": [[] for _ in range(100_000)]}))
    readers: list[str] = []
    read = ActionEvent.from_json.__func__

    def note(cls: type[ActionEvent], text: bytes) -> ActionEvent:
        readers.append(threading.current_thread().name)
        return read(cls, text)

    monkeypatch.setattr(ActionEvent, "from_json", classmethod(note))
    board = await start_board(tier)

    assert board.get(long.id)
    assert readers
    assert threading.main_thread().name not in readers


async def test_what_gives_way_to_more_urgent_ones_is_not_said_to_have_ended(
    tier: Tier, start_board: StartBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "COMPARE_SECONDS", 0.05)
    agent = tier.client()
    later = await agent.submit(high("later"))
    board = await start_board(tier, most=1)
    with board.feed(ALL, EVERYBODY) as feed:
        sooner = await agent.submit(high("sooner"))
        await tier.redis.hset(Keys(0).action(sooner.id), "deadline", 1)
        await tier.redis.zadd(Keys(0).parked, {sooner.id: 1})

        gone = [one async for one in _gone(feed)]

    assert gone == [Ended(later.id, "parked")]


async def _gone(feed: feeds.Feed) -> AsyncIterator[Ended]:
    """What the first change that has any takes away."""
    while not (change := await feed.next(90)) or not change.gone:
        assert change
    for one in change.gone:
        yield one


async def test_one_action_alone_is_shown_to_who_sees_it(
    start_tier: StartTier, start_board: StartBoard
) -> None:
    tier = await start_tier(**TWO_FLEETS)
    agent = tier.client()
    one = await agent.submit(high())
    await agent.submit(high(f"cat {one.id}"))  # another that speaks of it
    board = await start_board(tier)
    wanted = Filter(id=one.id)

    assert [item.id for item in board.items(wanted, EVERYBODY)] == [one.id]
    assert board.items(wanted, of_fleet("data")) == []
    assert board.items(Filter(id="nobody.0"), EVERYBODY) == []
    found, more = board.page(wanted, EVERYBODY, limit=5, after=board.items(wanted, EVERYBODY)[0].order)
    assert (found, more) == ([], False)
