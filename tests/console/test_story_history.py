"""History: decided actions, searched; each visitor sees their own fleets' alone."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from consoles import Desk, StartConsole
from guardtier import ActionEvent
from guardtier.look import Me
from guardtier_workers.console.story.history import History, HistoryQuery
from tier import StartTier, Tier, high, low

EVERYTHING = Me(name="eve", principal="eve", fleets=("*",), may=("see",))


async def decided(tier: Tier, action: ActionEvent, *, approve: bool = True, reason: str = "") -> str:
    """Ask for it, and have alice answer. Its full id."""
    waiting = asyncio.create_task(tier.client(action.fleet).check(action))
    (record,) = await tier.parked()
    answer = tier.approver().approve if approve else tier.approver().reject
    await answer(record.id, digest=record.digest, reason=reason)
    await waiting
    return record.id


async def found(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/history", params=query)
    assert answer.status_code == 200, answer.text
    decisions: list[dict[str, Any]] = answer.json()["decisions"]
    return decisions


async def test_a_decision_is_found_with_who_made_it_and_why(console: Desk) -> None:
    action_id = await decided(console.tier, high("rm -rf ~/.ssh"), approve=False, reason="never the keys")
    alice = await console.program("alice")

    (one,) = await found(alice)

    assert (one["id"], one["outcome"], one["by"]) == (action_id, "rejected", ["alice"])
    assert (one["reason"], one["headline"], one["agent"]) == ("never the keys", "rm -rf ~/.ssh", "agent-1")
    assert one["risk"] == "HIGH"
    assert one["waited_ms"] >= 0


async def test_filters_leave_out_the_others(console: Desk) -> None:
    tier = console.tier
    first = await decided(tier, high("rm -rf /srv", agent="coder"), approve=False, reason="no")
    second = await decided(tier, high("drop table orders", agent="dba"))
    alice = await console.program("alice")

    assert [one["id"] for one in await found(alice)] == [second, first]
    assert [one["id"] for one in await found(alice, outcome="rejected")] == [first]
    assert [one["id"] for one in await found(alice, agent="dba")] == [second]
    assert [one["id"] for one in await found(alice, text="ORDERS")] == [second]
    assert [one["id"] for one in await found(alice, by="ali")] == [second, first]
    assert await found(alice, by="bob") == []
    assert await found(alice, since="2200-01-01T00:00:00Z") == []
    assert await found(alice, until="2001-01-01T00:00:00Z") == []


async def test_what_was_released_is_shown_where_it_is_asked_for(console: Desk) -> None:
    await console.tier.client().check(low("ls"))
    alice = await console.program("alice")

    assert await found(alice) == []
    (one,) = await found(alice, outcome="released")
    assert one["headline"] == "ls"
    assert one["by"] == []


async def test_another_fleets_decisions_are_not_there(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(fleets={"web": {}, "data": {}})
    desk = await start_console(tier)
    mine = await decided(tier, high())
    theirs = await decided(tier, high(fleet="data"))
    bob = await desk.program("bob", ["web"])
    page = await (await desk.browser("bob", ["web"])).get("/history")

    assert [one["id"] for one in await found(bob)] == [mine]
    assert await found(bob, fleet="data") == []
    assert mine in page.text
    assert theirs not in page.text


async def test_pages_follow_each_other_without_a_gap(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(partitions=2)
    desk = await start_console(tier)
    ids = [await decided(tier, high(f"rm {number}")) for number in range(5)]
    alice = await desk.program("alice")

    seen: list[str] = []
    cursor = ""
    while True:
        page = (await alice.get("/api/v1/history", params={"limit": 2, "cursor": cursor})).json()
        seen += [one["id"] for one in page["decisions"]]
        cursor = page["cursor"]
        if not cursor:
            break

    assert seen == ids[::-1]


async def test_a_search_stops_after_so_many_lines_and_says_how_far_it_came(tier: Tier) -> None:
    wanted = await decided(tier, high("the first"))
    for number in range(4):
        await decided(tier, high(f"rm {number}"), approve=False)
    history = History(tier.redis, tier.records, 1)

    pages = []
    query = HistoryQuery(outcome=("approved",))
    while True:
        pages.append(await history.page(query, EVERYTHING, most=5))
        if pages[-1].cursor is None:
            break
        query = query.model_copy(update={"cursor": pages[-1].cursor})

    assert pages[0].decisions == []
    assert pages[0].looked == 5
    assert pages[0].looked_to is not None
    assert [one.id for page in pages for one in page.decisions] == [wanted]


async def test_a_decision_whose_record_is_gone_is_still_found(console: Desk) -> None:
    action_id = await decided(console.tier, high(), approve=False, reason="no")
    await console.tier.redis.delete(f"gt:{{0}}:action:{action_id}")
    alice = await console.program("alice")

    (one,) = await found(alice)

    assert (one["id"], one["kept"], one["reason"]) == (action_id, False, "no")


async def test_a_made_up_cursor_is_refused(console: Desk) -> None:
    alice = await console.program("alice")

    for cursor in ("x", "0-0.0", "1-1", "9" * 60):
        answer = await alice.get("/api/v1/history", params={"cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["field"] == "cursor"


async def test_the_page_shows_what_agents_wrote_as_text(console: Desk) -> None:
    await decided(console.tier, high("<script>alert(1)</script>\u202e"), approve=False, reason="<b>no</b>")
    alice = await console.browser("alice")

    page = await alice.get("/history")

    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in page.text
    assert "&lt;b&gt;no&lt;/b&gt;" in page.text


async def test_a_filter_that_is_wrong_is_said_on_the_page(console: Desk) -> None:
    alice = await console.browser("alice")

    page = await alice.get("/history", params={"fleet": "no such name!", "text": "kept"})

    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert 'value="kept"' in page.text
