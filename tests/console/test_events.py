"""The stream of events of an open page: who is told what, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from consoles import Desk, StartConsole, time_passes_as_sessions_are_looked_at
from guardtier.settings import Settings
from guardtier_workers.approvers import Right
from guardtier_workers.console.access import watch
from guardtier_workers.console.board import feeds
from guardtier_workers.console.pages import events
from guardtier_workers.console.serve import served
from tier import StartTier, Tier, high
from waiting import until

Told = tuple[str, dict[str, Any]]


class Stream:
    """A page's stream, as its browser reads it."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self, *names: str) -> Told:
        """The next event of these names (none: of any). Raises StopAsyncIteration at the end."""
        async with asyncio.timeout(90):
            while True:
                line = await anext(self._lines)
                if line.startswith("event: "):
                    name, data = line.removeprefix("event: "), (await anext(self._lines))
                    if not names or name in names:
                        return name, orjson.loads(data.removeprefix("data: "))


@asynccontextmanager
async def stream(client: httpx.AsyncClient, query: str = "") -> AsyncIterator[Stream]:
    async with client.stream("GET", f"/events{query}") as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = Stream(answer)
        name, _ = await found.next()
        assert name == "hello"
        yield found


@pytest.fixture(autouse=True)
def _pings_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_SECONDS", 0.05)
    monkeypatch.setattr(watch, "ASK_SECONDS", 0.05)


async def test_a_parked_action_arrives_as_a_row_and_leaves_with_its_outcome(console: Desk) -> None:
    alice = await console.browser("alice")
    async with stream(alice) as told:
        parked = await console.tier.client().submit(high("rm -rf /<b>data</b>"))
        _, first = await told.next("changes")
        await console.tier.approver("alice").reject(parked.id, digest=parked.digest, reason="no")
        _, then = await told.next("changes")

    [row] = first["rows"]
    assert row["id"] == parked.id
    assert f'id="row-{parked.id}"' in row["html"]
    assert f'data-order="{row["order"]}"' in row["html"]
    assert "<b>data" not in row["html"]
    assert (first["total"], first["counts"]) == (1, {"HIGH": 1})
    assert then["gone"] == [{"id": parked.id, "state": "rejected", "by": "alice"}]
    assert then["total"] == 0


async def test_a_page_is_told_what_its_filter_takes(console: Desk) -> None:
    alice = await console.browser("alice")
    agent = console.tier.client()
    async with stream(alice, "?text=wanted") as told:
        await agent.submit(high("something else"))
        wanted = await agent.submit(high("WANTED"))

        rows = []
        while not rows:
            rows = (await told.next("changes"))[1]["rows"]
    assert [row["id"] for row in rows] == [wanted.id]


async def test_nothing_of_another_fleet_is_told(start_tier: StartTier, start_console: StartConsole) -> None:
    tier = await start_tier(fleets={"web": {}, "data": {}})
    console = await start_console(tier)
    bob = await console.browser("bob", ["data"])
    async with stream(bob) as told:
        await tier.client("web").submit(high())
        own = await tier.client("data").submit(high(fleet="data"))
        _, change = await told.next("changes")

    assert [row["id"] for row in change["rows"]] == [own.id]
    assert change["total"] == 1


async def test_it_says_that_it_is_alive(console: Desk) -> None:
    async with stream(await console.browser("alice")) as told:
        assert await told.next("ping") == ("ping", {"live": True})


async def test_nobody_reads_it_without_signing_in(console: Desk) -> None:
    somebody = await console.nobody(headers={"accept": "application/json"})

    assert (await somebody.get("/events")).status_code == 401
    assert (await somebody.get("/events/rows")).status_code == 401


async def test_it_ends_with_the_session(console: Desk) -> None:
    alice = await console.browser("alice")
    csrf = alice.headers["x-csrf-token"]
    async with stream(alice) as told:
        assert (await alice.post("/logout", data={"csrf": csrf})).status_code == 303

        await told.next("over")
        with pytest.raises(StopAsyncIteration):
            await told.next()


async def test_an_open_page_keeps_nobody_signed_in(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    time_passes_as_sessions_are_looked_at(monkeypatch)
    console = await start_console(tier, idle_seconds=0.5)
    async with stream(await console.browser("alice")) as told:
        await told.next("over")


@pytest.mark.parametrize("path", ["/events", "/events/rows"])
async def test_a_page_that_connects_again_and_again_keeps_nobody_signed_in(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    time_passes_as_sessions_are_looked_at(monkeypatch)
    alice = await (await start_console(tier, idle_seconds=1)).browser("alice")

    async def is_over() -> bool:
        async with alice.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
            return answer.status_code == 401

    await until(is_over)


@pytest.mark.parametrize("kind", ["browser", "program"])
async def test_it_ends_when_the_approver_is_let_go(console: Desk, kind: str) -> None:
    client = await getattr(console, kind)("alice")
    async with stream(client) as told:
        console.tier.fire("alice")

        await told.next("over")


async def test_it_ends_with_the_console(tier: Tier) -> None:
    own = tier.settings.model_dump(exclude={"console"})
    settings = Settings.model_validate(own | {"console": {"port": 0, "open_to_viewers": True}})
    async with AsyncExitStack() as running:
        url, _ = await running.enter_async_context(served(settings))
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=90) as client,
            stream(client) as told,
        ):
            ending = asyncio.create_task(running.aclose())

            with pytest.raises(StopAsyncIteration):
                await told.next("over")
            await ending


async def test_too_many_pages_of_one_approver_are_refused(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_OF_ONE", 1)
    alice = await console.browser("alice")
    async with stream(alice):
        refused = await alice.get("/events", headers={"accept": "application/json"})
    assert refused.status_code == 429
    assert "close some" in refused.json()["message"]


async def test_of_many_pages_at_the_same_moment_no_more_are_let_in(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_OF_ONE", 2)
    console.tier.approver("alice")
    alice = await console.nobody(
        auth=("alice", console.tier.token_of("alice")), limits=httpx.Limits(max_connections=None)
    )
    await alice.get("/api/v1/me")  # else each of them is a try to sign in
    async with AsyncExitStack() as opened:

        async def status() -> int:
            return (await opened.enter_async_context(alice.stream("GET", "/events"))).status_code

        told = await asyncio.gather(*(status() for _ in range(20)))

    assert sorted(told) == [200] * 2 + [429] * 18


async def test_a_page_that_is_left_at_once_makes_room(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_OF_ONE", 1)
    alice = await console.program("alice")

    async def let_in() -> bool:
        async with alice.stream("GET", "/events") as answer:
            return answer.status_code == 200

    for _ in range(3):
        assert await until(let_in)


@pytest.mark.parametrize("query", ["?risk=EXTREME", "?nothing=1", "?text=" + "x" * 300, "?fleet=../x"])
async def test_a_bad_filter_is_refused(console: Desk, query: str) -> None:
    alice = await console.program("alice")

    for path in ("/events", "/events/rows"):
        assert (await alice.get(path + query, headers={"accept": "application/json"})).status_code == 422


async def test_a_page_compares_itself_with_the_first_rows(console: Desk) -> None:
    alice = await console.browser("alice", may=(Right.SEE,))
    agent = console.tier.client()
    ids = [(await agent.submit(high(f"command {n}"))).id for n in range(3)]

    async def there() -> bool:
        return bool((await alice.get("/events/rows")).json()["total"] == 3)

    await until(there)

    first = (await alice.get("/events/rows?limit=2")).json()
    then = (
        await alice.get("/events/rows", params={"limit": 2, "after": first["rows"][-1]["order"]})
    ).json()

    assert [row["id"] for row in first["rows"] + then["rows"]] == ids[::-1]
    assert (first["more"], then["more"]) == (True, False)
    assert first["live"] is True
    assert (await alice.get("/events/rows?after=x")).status_code == 422
