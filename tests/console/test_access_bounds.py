"""What one visitor can make the console do: no more work, and no more to see, than is theirs."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from threading import get_ident
from typing import Any

import httpx
import pytest
from starlette.datastructures import QueryParams

from consoles import Desk, StartConsole
from guardtier.answer import Choice
from guardtier.errors import ConfigError
from guardtier.look import Me
from guardtier.store.keys import Keys
from guardtier.store.records import Record
from guardtier_workers.approvers import Right
from guardtier_workers.console.access import credentials
from guardtier_workers.console.answering import batch
from guardtier_workers.console.board.filters import Wanted
from guardtier_workers.console.pages import answering
from tier import StartTier, Tier, high


class Counted(list[tuple[Any, Any]]):
    """Pairs, and how many of them were looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for pair in super().__iter__():
            self.looked_at += 1
            yield pair


def test_an_address_of_many_names_is_read_in_one_pass() -> None:
    given = QueryParams("&".join(f"n{number}" for number in range(1000)))
    given._list = pairs = Counted(given._list)

    with pytest.raises(ConfigError):
        Wanted.read(given)

    assert pairs.looked_at <= 10 * len(pairs)


def test_what_is_empty_counts_as_left_out_and_the_last_one_counts() -> None:
    found = Wanted.read(QueryParams("risk=HIGH&risk=&risk=LOW&tool=a&tool=b&tool=&agent="))

    assert ([risk.value for risk in found.risk], found.tool, found.agent) == (["HIGH", "LOW"], "b", None)


@pytest.mark.parametrize("path", ["/login", "/enter", "/logout"])
async def test_who_has_not_signed_in_sends_no_more_than_a_form(console: Desk, path: str) -> None:
    somebody = await console.nobody(headers={"origin": console.url.rstrip("/")})
    form = {"content-type": "application/x-www-form-urlencoded"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"&" * 8192

    assert (await somebody.post(path, content=b"&" * 100_000, headers=form)).status_code == 413
    with suppress(httpx.TransportError):  # it did not wait for the rest
        assert (await somebody.post(path, content=chunks(), headers=form)).status_code == 413


async def test_nothing_is_unquoted_of_cookies(console: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes time as the square of what stands there: 7 s for one request of anybody."""
    given: list[str] = []
    monkeypatch.setattr("http.cookies._unquote", lambda text: given.append(text) or text)
    alice = await console.browser("alice")
    name = f"guardtier_session={alice.cookies['guardtier_session']}"
    somebody = await console.nobody()

    for cookie, status in (
        (f"a=b; {name}", 200),
        (f"{name};a", 200),
        (f"guardtier_session=other; {name}", 200),
        (f"{name}; guardtier_session=other", 401),
        (f"x{name}", 401),
        ('guardtier_session="' + "\\" * 50_000 + '"', 401),
    ):
        answer = await somebody.get("/api/v1/me", headers={"cookie": cookie})
        assert answer.status_code == status, cookie[:100]
    assert given == []


# -- while the tier is away ----------------------------------------------------------------------


@pytest.fixture
async def deserted(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> tuple[Desk, httpx.AsyncClient]:
    """A console that asks before each request who somebody is, and waits a second for an answer; and alice,
    who had signed in before the workers went.
    """
    monkeypatch.setattr(credentials, "ASK_SECONDS", 0.0)
    console = await start_console(tier)
    alice = await console.browser("alice")
    for worker in tier.workers:
        await worker.stop()
    monkeypatch.setattr(credentials, "TIER_SECONDS", 1.0)
    return console, alice


async def test_of_many_requests_at_once_one_asks_a_tier_that_is_away(
    deserted: tuple[Desk, httpx.AsyncClient],
) -> None:
    console, alice = deserted
    tier, answers = console.tier, Keys(0).answers
    before = await tier.redis.xlen(answers)

    came = await asyncio.gather(*(alice.get("/api/v1/me") for _ in range(8)))

    assert {answer.status_code for answer in came} == {504}
    assert await tier.redis.xlen(answers) - before <= 2  # else each waits until all before it have


async def test_who_signs_out_is_out_also_where_the_tier_is_away(
    deserted: tuple[Desk, httpx.AsyncClient],
) -> None:
    console, alice = deserted
    cookies, csrf = dict(alice.cookies), alice.headers["x-csrf-token"]

    assert (await alice.post("/logout", data={"csrf": "another"})).status_code == 403
    assert (await alice.post("/logout", data={"csrf": csrf})).status_code == 303

    old = await console.nobody(cookies=cookies)
    assert (await old.get("/api/v1/me")).status_code == 401


# -- many large actions at once ------------------------------------------------------------------


async def test_previews_keep_no_more_than_they_show(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = await start_console(tier)
    large = {f"k{number}": "x" * 100 for number in range(5_000)}
    ids = [
        (await tier.client().submit(high(agent=f"a{number}", arguments=large))).id for number in range(3)
    ]
    await tier.parked(3)
    viewer = await console.program("viv", may=[Right.SEE])
    kept: list[int] = []
    at_work, most = set[int](), [0]

    def sized(record: Record, me: Me, choice: Choice) -> batch.Preview:
        at_work.add(get_ident())
        most.append(len(at_work))
        made = batch.preview(record, me, choice)
        kept.append(len(pickle.dumps(made)))
        at_work.discard(get_ident())
        return made

    monkeypatch.setattr(answering, "preview", sized)
    asked = {"choice": "approve", "id": ids}

    came = await asyncio.gather(*(viewer.get("/answering/batch", params=asked) for _ in range(8)))

    assert {answer.status_code for answer in came} == {200}
    assert max(kept) < 100_000 < len((await tier.record(ids[0])).event)
    assert max(most) <= 2


# -- what is another's ---------------------------------------------------------------------------


async def test_a_console_that_vouches_sees_nothing_itself(console: Desk) -> None:
    voucher = await console.program("desk", may=[Right.VOUCH])

    for path in ("/api/v1/me", "/api/v1/policy-file/rules", "/api/v1/workers"):
        assert (await voucher.get(path)).status_code == 401, path
    assert (await voucher.get("/")).headers["location"] == "/login"


@pytest.fixture
async def two_fleets(start_tier: StartTier) -> Tier:
    return await start_tier(fleets={"web": {}, "ops": {}})


PARTS = ("/api/v1/actions/{}", "/api/v1/actions/{}/suggestions", "/actions/{}", "/actions/{}/conversation")


async def test_another_fleets_damaged_record_is_told_as_what_is_not_there(
    two_fleets: Tier, start_console: StartConsole
) -> None:
    console = await start_console(two_fleets)
    there = (await two_fleets.client("web").submit(high())).id
    await two_fleets.parked()
    await two_fleets.redis.hset(Keys(0).action(there), "assessment", b"{")
    missing = "0" * 24 + ".0"
    other, olga = await console.program("otto", ["ops"]), await console.program("olga")

    for part in PARTS:
        told = [await other.get(part.format(name)) for name in (there, missing)]
        assert {answer.status_code for answer in told} == {404}, part
        assert told[0].text.replace(there, "") == told[1].text.replace(missing, ""), part
        assert (await olga.get(part.format(there))).status_code == 409, part


async def test_a_fleet_that_repeats_anothers_id_learns_nothing_of_it(
    two_fleets: Tier, start_console: StartConsole
) -> None:
    console = await start_console(two_fleets)
    action = (await two_fleets.client("web").submit(high())).id
    await two_fleets.parked()
    audit = Keys(0).audit
    refused = {"event": "answer_refused", "id": action, "by": "secret-person", "reason": "secret words"}
    for _ in range(300):
        await two_fleets.redis.xadd(audit, {"event": "conflict", "id": action, "fleet": "ops"})
    await two_fleets.redis.xadd(audit, refused)
    for _ in range(300):
        await two_fleets.redis.xadd(audit, {"event": "conflict", "id": action, "fleet": "ops"})
    other = await console.program("otto", ["ops"])

    for path in (f"/api/v1/actions/{action}/story", f"/actions/{action}/timeline"):
        assert "secret" not in (await other.get(path)).text, path
