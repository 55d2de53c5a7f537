"""What an agent has not finished: listed after a restart, redeemed once, and nobody else's."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from desk import Desk
from guardtier import GuardClient, State, Status
from guardtier.blocking import BlockingGuardClient
from guardtier.errors import AlreadyRedeemed, InvalidAction, UnknownFleet
from guardtier.state import TRANSITIONS
from guardtier.store import opened
from guardtier.store.keys import Keys, partition_for
from guardtier.store.opened import open_page
from processes import Processes
from tier import StartTier, Tier, high, low
from waiting import until

OPEN = {State.ASSESSED, State.PARKED, State.APPROVED}


async def ids(client: GuardClient, agent: str = "agent-1", **asked: Any) -> list[str]:
    return [status.id for status in await client.pending(agent, **asked)]


# -- the list, transition by transition ----------------------------------------------------------


@pytest.mark.parametrize("state", TRANSITIONS)
async def test_an_action_is_listed_while_it_is_open(desk: Desk, state: State) -> None:
    action = await desk.bring(state)

    assert await desk.open_ids() == ([action.id] if state in OPEN else [])


async def test_a_list_goes_when_nothing_keeps_it(desk: Desk) -> None:
    await desk.bring(State.PARKED)

    kept_ms = await desk.redis.pttl(desk.keys.open("web", "agent-1"))

    assert kept_ms > 600_000  # the record's own time, after the deadline


async def test_what_outlived_its_time_leaves_the_list(desk: Desk) -> None:
    listed = desk.keys.open("web", "agent-1")
    await desk.redis.zadd(listed, {"forgotten.0": 1})

    action = await desk.bring(State.PARKED)

    assert await desk.open_ids() == [action.id]


async def test_what_is_over_is_left_out_and_taken_off(desk: Desk) -> None:
    over, stays = await desk.bring(State.PARKED), await desk.bring(State.PARKED)
    await desk.redis.delete(desk.keys.action(over.id))
    page = await open_page(desk.redis, desk.keys, fleet="web", agent="agent-1", conversation=None, after="")
    assert (page.over, [item["id"] for item in page.items]) == ([over.id], [stays.id])

    await desk.listed(over)
    await desk.listed(stays)  # somebody may have asked for it anew since the caller looked

    assert await desk.open_ids() == [stays.id]


# -- asking --------------------------------------------------------------------------------------


async def test_listings_that_nobody_reads_do_not_fill_the_memory(desk: Desk) -> None:
    clients, listing = [f"c{number}" for number in range(100)], b"x" * 120_000  # 12 MB in all
    for client in clients:
        delivery = await desk.asked(desk.action(), "pending", client)
        await desk.ledger.listed(delivery, client=client, agent="agent-1", listing=listing, over=[])

    kept = [await desk.redis.xlen(desk.keys.reply("web", client)) for client in clients]
    assert 60 < sum(kept) < 80, "8 MiB at the most"
    assert kept[-1] == 1, "the newest stays"


async def test_an_agent_gets_what_waits_and_what_is_approved(tier: Tier) -> None:
    client = tier.client()
    waits = await client.submit(high("rm -rf ~/a"))
    approved = await client.submit(high("rm -rf ~/b"))
    rejected = await client.submit(high("rm -rf ~/c"))
    await client.check(low())
    await tier.approver().approve(approved.id)
    await tier.approver().reject(rejected.id, reason="no")

    found = {status.id: status for status in await tier.client().pending("agent-1")}

    assert set(found) == {waits.id, approved.id}
    assert found[waits.id].is_waiting
    assert found[waits.id].state is State.WAITING_FOR_CONFIRMATION
    assert found[waits.id].deadline == waits.deadline
    assert found[approved.id].state is State.APPROVED
    action = found[approved.id].action
    assert action is not None
    assert (action.arguments, action.digest) == ({"command": "rm -rf ~/b"}, found[approved.id].digest)
    assert (await client.redeem(action)).allowed
    assert await ids(client) == [waits.id]


async def test_only_the_conversation_that_is_asked_for(tier: Tier) -> None:
    client = tier.client()
    first, _, none = [(await client.submit(high(conversation=name))).id for name in ("c-1", "c-2", None)]

    assert await ids(client, conversation="c-1") == [first]
    assert await ids(client, conversation="c-9") == []
    assert len(await ids(client)) == 3
    assert none in await ids(client)


async def test_nobody_sees_another_agents_or_another_fleets(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    mine = await tier.client().submit(high(agent="agent{1}:x"))
    await tier.client("ops").submit(high(fleet="ops", agent="agent{1}:x"))

    assert await ids(tier.client(), "agent{1}:x") == [mine.id]
    assert await ids(tier.client(), "agent-1") == []
    assert mine.id not in await ids(tier.client("ops"), "agent{1}:x")


async def test_every_partition_is_asked(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    names = [next(f"c-{n}" for n in range(100) if partition_for(f"c-{n}", 2) == p) for p in (0, 1)]
    submitted = [await tier.client(client_id=name).submit(high()) for name in names]

    found = await tier.client().pending("agent-1")

    assert {status.id for status in found} == {status.id for status in submitted}
    assert {status.id[-2:] for status in found} == {".0", ".1"}


async def test_many_come_page_by_page_and_a_limit_says_so(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "PAGE", 3)
    client = tier.client()
    submitted = [await client.submit(high(f"rm -rf ~/{n}")) for n in range(8)]

    everything, some = await client.pending("agent-1"), await client.pending("agent-1", limit=4)

    assert sorted(status.id for status in everything) == sorted(status.id for status in submitted)
    assert not everything.more
    assert (len(some), some.more) == (4, True)


async def test_a_page_goes_on_where_its_last_action_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "PAGE", 2)
    for _ in range(5):
        await desk.bring(State.PARKED)
    listed = await desk.open_ids()  # what came in the same millisecond is in the order of its ids
    asked = {"fleet": "web", "agent": "agent-1", "conversation": None}
    first = await open_page(desk.redis, desk.keys, **asked, after="")
    assert first.after is not None

    await desk.redis.zrem(desk.keys.open("web", "agent-1"), listed[1])
    rest = await open_page(desk.redis, desk.keys, **asked, after=first.after)

    assert [item["id"] for item in first.items] == listed[:2]
    assert {item["id"] for item in rest.items} >= {listed[2]}


async def test_a_large_action_is_listed_by_its_digest(tier: Tier) -> None:
    action = high("x" * 20_000)
    submitted = await tier.client().submit(action)

    (found,) = await tier.client().pending("agent-1")

    assert (found.id, found.action, found.digest) == (submitted.id, None, action.digest)


async def test_large_actions_end_a_page_early(tier: Tier) -> None:
    client = tier.client()
    submitted = [await client.submit(high(f"{n} " + "x" * 15_000)) for n in range(25)]

    found = await client.pending("agent-1")

    assert sorted(status.id for status in found) == sorted(status.id for status in submitted)
    replies = await tier.redis.xrange(Keys(0).reply("web", client.client_id))
    pages = [fields[b"body"] for _, fields in replies if b"body" in fields]
    assert len(pages) > 1
    assert max(map(len, pages)) < opened.PAGE_BYTES + opened.CHUNK * opened.MOST_BYTES


# -- what is no such question --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"agent": "two words"}, "agent"),
        ({"agent": ""}, "agent"),
        ({"agent": "x" * 129}, "agent"),
        ({"agent": "é"}, "agent"),
        ({"agent": "agent-1", "conversation": ""}, "conversation"),
    ],
)
async def test_a_question_that_can_not_be_read_is_refused(
    tier: Tier, asked: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidAction) as told:
        await tier.client().pending(**asked)

    assert told.value.field == field


@pytest.mark.parametrize("after", ["x", "1:", "-1:a", "1:a b", "9" * 30 + ":a", "1:" + "a" * 200])
async def test_a_cursor_that_no_page_gave_is_refused(desk: Desk, after: str) -> None:
    with pytest.raises(InvalidAction, match="after"):
        await open_page(desk.redis, desk.keys, fleet="web", agent="a", conversation=None, after=after)


async def test_a_fleet_that_nobody_registered_has_nothing(tier: Tier) -> None:
    with pytest.raises(UnknownFleet):
        await tier.client("nobody").pending("agent-1")


async def test_the_blocking_client_asks_the_same(tier: Tier) -> None:
    submitted = await tier.client().submit(high())

    def ask() -> list[Status]:
        with BlockingGuardClient(tier.url, fleet="web") as client:
            return list(client.pending("agent-1"))

    assert [status.id for status in await asyncio.to_thread(ask)] == [submitted.id]


# -- a restart -----------------------------------------------------------------------------------

AGENT = """
import asyncio, sys
from guardtier import ActionEvent, GuardClient

async def run():
    async with GuardClient(sys.argv[1], fleet="web") as guard:
        action = ActionEvent(fleet="web", agent="agent-1", conversation="c-1", tool_name="terminal",
            arguments={"command": "rm -rf ~/old"}, security_risk="HIGH")
        await guard.check(action)

asyncio.run(run())
"""


async def test_an_agent_killed_while_it_waits_goes_on_after_its_restart(
    tier: Tier, processes: Processes
) -> None:
    before = processes.start([sys.executable, "-c", AGENT, tier.url])
    (parked,) = await tier.parked()
    processes.kill(before)

    guard = tier.client()
    (found,) = await guard.pending("agent-1", conversation="c-1")
    assert (found.id, found.is_waiting) == (parked.id, True)
    assert found.action is not None
    assert (await guard.poll(found.action)).is_waiting
    await tier.approver().approve(found.id)

    async def approved() -> bool:
        return (await guard.poll(found.id)).state is State.APPROVED

    await until(approved)
    runs = await asyncio.gather(
        *(tier.client().redeem(found.action) for _ in range(3)), return_exceptions=True
    )
    assert sum(not isinstance(run, BaseException) and run.allowed for run in runs) == 1
    assert sum(isinstance(run, AlreadyRedeemed) for run in runs) == 2
    assert await ids(guard) == []


async def test_an_agent_that_was_rejected_meanwhile_has_the_reason_for_its_model(tier: Tier) -> None:
    submitted = await tier.client().submit(high())
    await tier.approver().reject(submitted.id, reason="use the trash can")

    after = await tier.client().poll(submitted.id)

    assert after.verdict is not None
    assert '"use the trash can"' in after.verdict.feedback
    assert await ids(tier.client()) == []
