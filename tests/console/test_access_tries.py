"""Tries: signing in fails a bounded number of times, and nobody can lock another out."""

from __future__ import annotations

import base64
import logging

import pytest
from starlette.requests import Request

from consoles import Desk, StartConsole, time_stands_still_at_the_door
from guardtier.errors import QueueFull
from guardtier_workers.console.access import door, tries
from guardtier_workers.console.access.problems import TooManyTries
from guardtier_workers.console.access.refused import LINES_A_MINUTE
from guardtier_workers.console.access.tries import AT_ONCE, OF_ADDRESS, OF_NAME, Tries
from guardtier_workers.console.answers import refusal
from tier import Tier


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    time_stands_still_at_the_door(monkeypatch)


def behind_proxy(address: str) -> dict[str, str]:
    """As a listed proxy passes on what somebody at this address sends."""
    own = "https://10.0.0.1"
    return {"x-forwarded-proto": "https", "x-forwarded-for": address, "host": "10.0.0.1", "origin": own}


async def test_too_many_failures_are_not_looked_at(console: Desk, caplog: pytest.LogCaptureFixture) -> None:
    console.tier.approver("alice")
    somebody = await console.nobody(headers={"origin": console.url.rstrip("/")})

    async def sign_in(name: str, token: str) -> int:
        answer = await somebody.post("/login", data={"name": name, "token": token})
        assert (answer.status_code == 429) == ("retry-after" in answer.headers)
        return answer.status_code

    with caplog.at_level(logging.WARNING):
        said = [await sign_in("alice", f"wrong-{n}") for n in range(OF_NAME.burst + 3)]
        assert said == [403] * OF_NAME.burst + [429] * 3
        assert await sign_in("alice", console.tier.token_of("alice")) == 429
        others = [await sign_in(f"name-{n}", "wrong") for n in range(OF_ADDRESS.burst)]

    assert others == [403] * (OF_ADDRESS.burst - OF_NAME.burst) + [429] * OF_NAME.burst
    assert "turned away (credentials): POST /login from 127.0.0.1: as alice" in caplog.text
    assert "turned away (tries)" in caplog.text
    assert sum("turned away" in line for line in caplog.messages) <= LINES_A_MINUTE


async def test_a_program_has_no_more_tries_than_a_browser(console: Desk) -> None:
    alice = await console.program("alice")
    wrong = [await console.nobody(auth=("alice", f"wrong-{n}")) for n in range(OF_NAME.burst + 1)]
    assert (await alice.get("/api/v1/me")).status_code == 200  # who has come before is counted apart

    said = [await one.get("/api/v1/me") for one in wrong]

    assert [one.status_code for one in said] == [401] * OF_NAME.burst + [429]
    assert said[-1].json()["code"] == "too_many_tries"
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_a_program_that_has_come_before_is_not_held_up_by_others(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ASK_SECONDS", 0.0)
    console = await start_console(tier)
    alice = await console.program("alice")
    assert (await alice.get("/api/v1/me")).status_code == 200
    for n in range(OF_ADDRESS.burst + 1):
        wrong = await console.nobody(auth=("alice", f"wrong-{n}"))
        said = (await wrong.get("/api/v1/me")).status_code
    assert said == 429

    assert (await alice.get("/api/v1/me")).status_code == 200
    tier.fire("alice")
    assert (await alice.get("/api/v1/me")).status_code == 401
    assert (await alice.get("/api/v1/me")).status_code == 429


async def test_credentials_that_can_not_be_read_are_refused(console: Desk) -> None:
    for given in ("?", "é", "=" * 50, base64.b64encode(b"\xff:x").decode(), "a" * 10_000, "YTpi YTpi"):
        somebody = await console.nobody(headers={"authorization": f"Basic {given}".encode()})
        assert (await somebody.get("/api/v1/me")).status_code == 401, given[:20]
    for name in ("", "a b", "é", "x" * 129, "a\x00"):
        encoded = base64.b64encode(f"{name}:token".encode()).decode()
        somebody = await console.nobody(headers={"authorization": f"Basic {encoded}"})
        assert (await somebody.get("/api/v1/me")).status_code == 401, name


async def test_who_fails_elsewhere_locks_nobody_out(tier: Tier, start_console: StartConsole) -> None:
    console = await start_console(tier, proxies=["127.0.0.0/8"])
    tier.approver("alice")
    right = {"name": "alice", "token": tier.token_of("alice")}
    home, cafe = behind_proxy("203.0.113.1"), behind_proxy("203.0.113.2")
    away, other = behind_proxy("2001:db8::1"), behind_proxy("2001:db8::ffff")
    somebody = await console.nobody()
    assert (await somebody.post("/login", data=right, headers=home)).status_code == 303

    for n in range(OF_NAME.burst):
        wrong = right | {"token": f"wrong-{n}"}
        assert (await somebody.post("/login", data=wrong, headers=away)).status_code == 403

    for where, status in ((other, 429), (cafe, 429), (home, 303)):
        assert (await somebody.post("/login", data=right, headers=where)).status_code == status


def test_failures_are_forgiven_one_by_one() -> None:
    now = 0.0
    kept = Tries(clock=lambda: now)

    def fail() -> None:
        kept.begin("a", "alice")
        kept.end("a", "alice", failed=True)

    for _ in range(OF_NAME.burst):
        fail()
    with pytest.raises(TooManyTries) as caught:
        fail()
    assert caught.value.limit == OF_NAME.seconds
    now += OF_NAME.seconds
    fail()
    with pytest.raises(TooManyTries):
        fail()


def test_many_at_once_are_no_way_around_it() -> None:
    kept = Tries()
    for number in range(AT_ONCE):
        kept.begin(f"address-{number}", f"name-{number}")

    with pytest.raises(TooManyTries):
        kept.begin("another", "one")
    kept.end("address-0", "name-0", failed=False)
    kept.begin("another", "one")


def test_what_is_kept_in_mind_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST", 10)
    monkeypatch.setattr(tries, "KNOWN", 10)
    kept = Tries()

    for number in range(100):
        kept.begin(f"address-{number}", f"name-{number}")
        kept.end(f"address-{number}", f"name-{number}", failed=True)
        kept.succeeded(f"address-{number}", f"name-{number}")

    assert (len(kept._addresses), len(kept._names), len(kept._known)) == (10, 10, 10)


def test_who_comes_while_the_queue_is_full_is_told_when_to_come_again() -> None:
    request = Request(
        {"type": "http", "method": "POST", "path": "/api/v1/actions/a1.0/approve", "headers": []}
    )

    answer = refusal(request, QueueFull("10,000 wait already", field="max_queue", retry_after=3.2))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "4")
