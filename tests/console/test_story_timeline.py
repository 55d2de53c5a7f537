"""The whole story of one action, line by line, in words; and its conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from consoles import Desk, StartConsole
from guardtier.errors import ActionConflict, NotAuthorized
from guardtier.look import Me
from guardtier.settings import Settings
from guardtier.store.trail import Line
from guardtier_workers.console.pages.history import TOOLS
from guardtier_workers.console.pages.page import fragment
from guardtier_workers.console.story.following import Following
from guardtier_workers.console.story.index import Index
from guardtier_workers.console.story.timeline import MOST_STEPS, Timeline
from tier import StartTier, Tier, high, low

BOTH = {"fleets": {"web": {}, "data": {}}}
EVERYTHING = Me(name="eve", principal="eve", fleets=("*",), may=("see",))


async def parked(tier: Tier, **fields: Any) -> str:
    client = tier.client(fields.get("fleet", "web"))
    return (await client.submit(high(**fields))).id


async def with_histories(start_tier: StartTier, **settings: Any) -> Tier:
    """A tier with the default ensemble: it remembers conversations."""
    tier = await start_tier(analyzers=0, **settings)
    default = Settings.model_fields["analyzers"].default
    tier.settings = tier.settings.model_copy(update={"analyzers": default})
    await tier.analyzer()
    return tier


async def story(client: httpx.AsyncClient, action_id: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/actions/{action_id}/story")
    assert answer.status_code == 200, answer.text
    steps: list[dict[str, Any]] = answer.json()["steps"]
    return steps


async def test_the_story_begins_when_it_was_asked_and_ends_when_it_ran(console: Desk) -> None:
    tier = console.tier
    waiting = asyncio.create_task(tier.client().check(high()))
    (record,) = await tier.parked()
    await tier.approver().approve(record.id, digest=record.digest, reason="fine")
    await waiting
    alice = await console.program("alice")

    steps = await story(alice, record.id)

    assert [one["event"] for one in steps] == ["asked", "assessed", "parked", "approved", "redeemed"]
    assert steps[3]["words"] == "Approved: 1 of 1 approval: alice"
    assert (steps[3]["by"], steps[3]["quote"]) == ("alice", "fine")
    assert [one["at"] for one in steps] == sorted(one["at"] for one in steps)


async def test_what_was_refused_about_it_is_part_of_its_story(console: Desk) -> None:
    tier = console.tier
    action_id = await parked(tier)
    record = await tier.record(action_id)
    tier.approver()
    with pytest.raises(NotAuthorized):
        await tier.impostor().approve(action_id, digest=record.digest)
    alice = await console.program("alice")

    refused = (await story(alice, action_id))[-1]

    assert (refused["event"], refused["tone"]) == ("answer_refused", "refused")
    assert refused["quote"]


async def test_another_fleets_story_is_as_one_that_never_was(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(**BOTH)
    desk = await start_console(tier)
    theirs = await parked(tier, fleet="data", conversation="c-1")
    bob = await desk.program("bob", ["web"])

    for path in (
        "/api/v1/actions/{}/story",
        "/actions/{}/story",
        "/actions/{}/timeline",
        "/actions/{}/conversation",
    ):
        seen = await bob.get(path.format(theirs), headers={"accept": "application/json"})
        never = await bob.get(path.format("never.0"), headers={"accept": "application/json"})

        assert (seen.status_code, never.status_code) == (404, 404)
        assert seen.text.replace(theirs, "never.0") == never.text


async def test_an_id_that_another_fleet_tried_says_nothing_of_that_fleet(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(**BOTH)
    desk = await start_console(tier)
    mine = await parked(tier)
    with pytest.raises(ActionConflict):
        await tier.client("data").submit(high(id=mine, fleet="data"))
    bob = await desk.program("bob", ["web"])

    steps = await story(bob, mine)

    assert [one["event"] for one in steps] == ["asked", "assessed", "parked"]


async def test_a_story_outlives_its_record(console: Desk) -> None:
    action_id = await parked(console.tier)
    await console.tier.redis.delete(f"gt:{{0}}:action:{action_id}")
    alice = await console.program("alice")

    assert [one["event"] for one in await story(alice, action_id)] == ["assessed", "parked"]


async def test_a_long_stream_is_read_a_part_at_a_time(tier: Tier) -> None:
    action_id = await parked(tier)
    for number in range(10):
        await tier.client().check(low(f"ls {number}"))
    record = await tier.record(action_id)
    await tier.approver().approve(action_id, digest=record.digest)
    timeline = Timeline(tier.redis, tier.records, 1)

    first = told = await timeline.of(action_id, EVERYTHING, most=6)
    steps = list(first.steps)
    while told.cursor is not None:
        told = await timeline.of(action_id, EVERYTHING, cursor=told.cursor, most=6)
        steps += told.steps

    assert [step.event for step in first.steps] == ["asked", "assessed", "parked"]
    assert [step.event for step in first.ending] == ["approved"]  # looked for where it must be
    assert first.looked_to is not None
    assert [step.event for step in steps] == ["asked", "assessed", "parked", "approved"]


async def test_a_story_of_many_lines_is_cut_and_goes_on(tier: Tier) -> None:
    action_id = await parked(tier)
    for _ in range(MOST_STEPS):
        await tier.redis.xadd("gt:{0}:audit", {"id": action_id, "event": "repeated", "fleet": "web"})
    record = await tier.record(action_id)
    await tier.approver().approve(action_id, digest=record.digest)
    timeline = Timeline(tier.redis, tier.records, 1)

    first = await timeline.of(action_id, EVERYTHING)
    rest = await timeline.of(action_id, EVERYTHING, cursor=first.cursor or "")
    await tier.redis.delete(f"gt:{{0}}:action:{action_id}")
    last = await timeline.of(action_id, EVERYTHING)
    before = await timeline.of(action_id, EVERYTHING, cursor=last.cursor or "")

    assert len(first.steps) == MOST_STEPS + 1
    assert [step.event for step in rest.steps] == ["repeated", "repeated", "approved"]
    assert (len(last.steps), last.steps[-1].event) == (MOST_STEPS, "approved")
    assert [step.event for step in before.steps] == ["assessed", "parked", "repeated"]


async def test_an_indexed_story_is_whole_however_long_the_stream(tier: Tier) -> None:
    action_id = await parked(tier)
    for number in range(10):
        await tier.client().check(low(f"ls {number}"))
    before = Following(tier.redis, 1)
    await before.catch_up()
    record = await tier.record(action_id)
    await tier.approver().approve(action_id, digest=record.digest)
    await before.catch_up()
    after = Following(tier.redis, 1)
    await after.catch_up()

    for following in (before, after):
        timeline = Timeline(tier.redis, tier.records, 1, following.index)
        told = await timeline.of(action_id, EVERYTHING, most=3)

        assert [step.event for step in told.steps] == ["asked", "assessed", "parked", "approved"]
        assert told.cursor is None


async def test_an_index_that_has_forgotten_the_beginning_is_not_believed(tier: Tier) -> None:
    action_id = await parked(tier)
    record = await tier.record(action_id)
    await tier.approver().approve(action_id, digest=record.digest)
    index = Index(most_ids=1)
    index.settle()
    for event in await tier.audit(action_id):
        entry = event.pop("entry")
        fields = {name.encode(): value.encode() for name, value in event.items()}
        index.take(Line(0, entry, fields))
        index.take(Line(0, "1-1", {b"id": b"other.0", b"event": b"parked"}))

    told = await Timeline(tier.redis, tier.records, 1, index).of(action_id, EVERYTHING)

    assert [step.event for step in told.steps] == ["asked", "assessed", "parked", "approved"]


def test_an_index_is_bounded_either_way() -> None:
    for settled in (True, False):
        index = Index(most_ids=2)
        if settled:
            index.settle()
        for number in range(5):
            index.take(Line(0, f"{number}-0", {b"id": f"a{number}.0".encode(), b"event": b"parked"}))
        known = [number for number in range(5) if index.of(f"a{number}.0")]
        assert known == ([3, 4] if settled else [0, 1])


async def test_a_conversation_shows_what_became_of_each_action(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await with_histories(start_tier)
    console = await start_console(tier)
    agent = tier.client()
    await agent.check(low("ls", conversation="c/1"))
    waiting = await parked(tier, conversation="c/1")
    alice = await console.browser("alice")

    told = (await alice.get("/api/v1/conversations/web", params={"conversation": "c/1"})).json()
    page = await alice.get("/conversations/web/c%2F1")
    part = await alice.get(f"/actions/{waiting}/conversation")

    assert [turn["outcome"] for turn in told["turns"]] == ["parked", "released"]
    assert told["total"] == 2
    assert page.status_code == 200
    assert "rm -rf ~/.ssh" in page.text
    assert "rm -rf ~/.ssh" not in part.text  # that one is shown beside it
    assert ">ls<" in part.text


async def test_another_fleets_conversation_is_not_there(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await with_histories(start_tier, **BOTH)
    desk = await start_console(tier)
    await parked(tier, fleet="data", conversation="c-1")
    bob = await desk.program("bob", ["web"])

    theirs = await bob.get("/api/v1/conversations/data", params={"conversation": "c-1"})
    never = await bob.get("/api/v1/conversations/nobody", params={"conversation": "c-1"})

    assert (theirs.status_code, theirs.text) == (404, never.text)


async def test_the_audit_stream_is_shown_by_fleet(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(**BOTH)
    desk = await start_console(tier)
    mine = await parked(tier)
    await parked(tier, fleet="data")
    bob = await desk.program("bob", ["web"])
    eve = await desk.program("eve", ["*"])

    own = (await bob.get("/api/v1/audit")).json()["lines"]
    all_of_them = (await eve.get("/api/v1/audit")).json()["lines"]
    some = (await eve.get("/api/v1/audit", params={"event": "parked", "fleet": "web"})).json()["lines"]

    assert {line["id"] for line in own} == {mine}
    assert {line["fleet"] for line in all_of_them} == {"web", "data"}
    assert [line["id"] for line in some] == [mine]


async def test_the_audit_page_shows_what_was_refused_and_halted(console: Desk) -> None:
    tier = console.tier
    olga = tier.operator("olga")
    await olga.halt("web", reason="<i>stop</i>")
    tier.approver()
    with pytest.raises(NotAuthorized):
        await tier.impostor().approve("never.0", digest="0" * 64)
    eve = await console.browser("eve", ["*"])
    bob = await console.browser("bob", ["web"])

    everything = (await eve.get("/audit")).text
    own = (await bob.get("/audit", headers={"hx-request": "true"})).text

    assert "&lt;i&gt;stop&lt;/i&gt;" in own
    assert "<html" not in own
    assert "answer refused" in everything
    assert "answer refused" not in own  # of an action that is not there: nobody's
    halted = (await eve.get("/audit", params={"event": "halted"})).text
    assert halted.count('data-event="') == halted.count('data-event="halted"') == 1


async def test_a_story_that_was_cut_shows_its_end_and_where_to_look_on(tier: Tier) -> None:
    action_id = await parked(tier)
    for number in range(10):
        await tier.client().check(low(f"ls {number}"))
    record = await tier.record(action_id)
    await tier.approver().approve(action_id, digest=record.digest)
    told = await Timeline(tier.redis, tier.records, 1).of(action_id, EVERYTHING, most=6)

    shown = fragment("_story.html", story=told, is_first=True, **TOOLS)

    cut, end = shown.index("Look on"), shown.index("Approved: 1 of 1")
    assert shown.index("it waits for people") < cut < end
    assert f"/actions/{action_id}/timeline?cursor={told.cursor}" in shown
