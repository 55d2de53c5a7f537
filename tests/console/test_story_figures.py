"""Figures: what is counted, for whom, and what is said where not everything is."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from consoles import Desk, StartConsole
from guardtier.errors import TierUnavailable
from guardtier.look import Me
from guardtier.store.keys import partition_for
from guardtier.store.records import Records
from guardtier.store.trail import Line
from guardtier_workers.clock import now_ms
from guardtier_workers.console.story.following import Following
from guardtier_workers.console.story.history import HistoryQuery
from guardtier_workers.console.story.stories import Stories
from guardtier_workers.console.story.tally import KINDS, SLOT_MS, Tally, waiting
from tier import StartTier, Tier, high, low
from waiting import until

EVERYTHING = Me(name="eve", principal="eve", fleets=("*",), may=("see",))
AT = 1_800_000_000_000 // SLOT_MS * SLOT_MS


def line(event: str, number: int = 0, *, fleet: str = "web", name: str = "a.0", details: str = "") -> Line:
    fields = {"id": name, "event": event, "fleet": fleet, "details": details}
    return Line(0, f"{AT + number}-0", {key.encode(): value.encode() for key, value in fields.items()})


def sums(tally: Tally) -> dict[str, int]:
    found = tally.sum(AT, AT + SLOT_MS, lambda _fleet: True)
    return {kind: count for kind, count in zip(KINDS, found, strict=False) if count}


async def figures(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    async def counted() -> dict[str, Any] | None:
        answer = await client.get("/api/v1/figures", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found if found["ready"] else None

    made: dict[str, Any] = await until(counted)
    return made


async def answered(tier: Tier, **fields: Any) -> None:
    status = await tier.client(fields.get("fleet", "web")).submit(high(**fields))
    record = await tier.record(status.id)
    await tier.approver().reject(status.id, digest=record.digest, reason="no")


def test_who_rejected_makes_a_difference() -> None:
    tally = Tally()

    tally.take(line("rejected", details='{"choice":"reject"}'))
    tally.take(line("rejected", details='{"halt":"web"}'))
    tally.take(line("rejected", details='{"rules":["block"]}'))
    tally.take(line("assessed"))

    assert sums(tally) == {"rejected": 2, "ruled": 1}


def test_a_wait_is_counted_whichever_end_comes_first() -> None:
    forwards, backwards = Tally(), Tally()
    lines = [line("parked"), line("approved", 60_000)]

    for one in lines:
        forwards.take(one)
    for one in reversed(lines):
        backwards.take(one)

    for tally in (forwards, backwards):
        half = waiting(tally.sum(AT, AT + SLOT_MS, lambda _fleet: True), 0.5)
        assert half is not None
        assert 40_000 < half < 80_000


def test_no_answer_no_time() -> None:
    assert waiting(Tally().sum(AT, AT + SLOT_MS, lambda _fleet: True), 0.9) is None


def test_a_tally_has_a_limit_and_says_from_when_on_it_counts() -> None:
    tally = Tally(most_cells=3, most_halves=10)

    for number in range(50):
        tally.take(line("parked", number * SLOT_MS, name=f"a{number}.0"))

    assert tally.dropped_before == AT + 47 * SLOT_MS
    assert sums(tally) == {}


async def test_what_happened_before_and_after_the_start_is_counted_once(
    tier: Tier, start_console: StartConsole
) -> None:
    await tier.client().check(low())
    await answered(tier)
    desk = await start_console(tier)
    alice = await desk.program("alice")
    before = await figures(alice, span="hour")

    await answered(tier, arguments={"command": "rm -rf /srv"})
    after = await figures(alice, span="hour")

    assert (before["total"]["released"], before["total"]["parked"], before["total"]["rejected"]) == (
        1,
        1,
        1,
    )
    assert (after["total"]["released"], after["total"]["parked"], after["total"]["rejected"]) == (1, 2, 2)
    assert after["total"]["p50_ms"] is not None
    assert len(after["steps"]) == 12


async def test_each_sees_the_figures_of_their_own_fleets(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(fleets={"web": {}, "data": {}})
    await answered(tier)
    await answered(tier, fleet="data")
    desk = await start_console(tier)
    bob = await desk.program("bob", ["web"])
    alice = await desk.program("alice")

    assert (await figures(alice))["total"]["rejected"] == 2
    assert (await figures(alice, fleet="data"))["total"]["rejected"] == 1
    own = await figures(bob)
    assert (own["total"]["rejected"], own["fleets"]) == (1, ["web"])
    assert (await figures(bob, fleet="data"))["total"]["rejected"] == 0


async def test_the_page_has_charts_and_the_same_as_a_table(tier: Tier, start_console: StartConsole) -> None:
    await answered(tier)
    desk: Desk = await start_console(tier)
    alice = await desk.browser("alice")
    await figures(alice)

    page = await alice.get("/stats")

    assert page.status_code == 200
    assert page.text.count("<svg") == 8
    assert "<table" in page.text
    assert "style=" not in page.text


async def test_a_long_stream_is_counted_as_far_as_it_says(tier: Tier) -> None:
    for number in range(6):
        await answered(tier, arguments={"command": f"rm {number}"})
    following = Following(tier.redis, 1, back=6)

    await following.catch_up()

    counted = following.tally.sum(
        following.since // SLOT_MS * SLOT_MS, following.since + 12 * SLOT_MS, lambda _fleet: True
    )
    assert following.since > 0
    assert dict(zip(KINDS, counted, strict=False))["rejected"] == 2


async def test_a_stream_that_was_lost_is_counted_anew(tier: Tier) -> None:
    await answered(tier)
    following = Following(tier.redis, 1)
    await following.catch_up()
    await tier.redis.delete("gt:{0}:audit")

    await following.catch_up()
    await following.catch_up()

    assert following.ready
    assert following.tally.fleets == frozenset()


async def test_of_two_streams_one_that_is_lost_spoils_nothing(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    names = {partition_for(name, 2): name for name in "abcdefgh"}
    ids = []
    for name in names.values():
        status = await tier.client(client_id=name).submit(high(f"rm {name}"))
        record = await tier.record(status.id)
        await tier.approver().reject(status.id, digest=record.digest, reason="no")
        ids.append(status.id)
    following = Following(tier.redis, 2)
    await following.catch_up()
    lost, kept = ids
    await tier.redis.delete(f"gt:{{{lost[-1]}}}:audit")

    await following.catch_up()
    await answered(tier, arguments={"command": "rm -rf /srv"})
    await following.catch_up()

    assert following.ready
    assert following.index.of(lost) == []
    entries = following.index.of(kept)
    assert entries == sorted(entries)
    assert len(entries) == 2
    now = now_ms()
    counted = following.tally.sum(now - 2 * SLOT_MS, now + 2 * SLOT_MS, lambda _fleet: True)
    assert dict(zip(KINDS, counted, strict=False))["rejected"] == 2


async def test_redis_that_is_away_is_said(tier: Tier) -> None:
    nowhere = Redis.from_url("redis://127.0.0.1:1/0")
    following = Following(nowhere, 1)

    await following.catch_up()

    assert following.trouble
    assert not following.ready
    await nowhere.aclose()


async def test_what_cant_be_read_is_an_error_that_says_why(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "~*", "+ping")
        nowhere = Redis.from_url("redis://127.0.0.1:1/0")
        blind = Redis.from_url(redis_url.replace("redis://", "redis://blind:any@"))
        try:
            for client, why in ((nowhere, "try again"), (blind, "credential may not read")):
                stories = Stories(client, Records(client, 1), 1)
                with pytest.raises(TierUnavailable, match=why):
                    await stories.history(HistoryQuery(), EVERYTHING)
                with pytest.raises(TierUnavailable, match=why):
                    await stories.conversation("web", "c-1", EVERYTHING)
        finally:
            await nowhere.aclose()
            await blind.aclose()
            await redis.execute_command("ACL", "DELUSER", "blind")
