"""Sessions: deep links, the way back after signing in, and what ends a session."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

import pytest

from consoles import Desk, StartConsole
from guardtier import State
from guardtier_workers.console.access import credentials, door
from tier import Tier, high

CROSS = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def port_of(console: Desk) -> int:
    return urlsplit(console.url).port or 0


# -- deep links ----------------------------------------------------------------------------------


async def test_a_link_in_a_chat_bounces_so_that_the_cookie_comes_along(console: Desk) -> None:
    somebody = await console.nobody()

    bounced = await somebody.get("/actions/a1.0?x=%22%3E%3Cscript%3E", headers=CROSS)

    assert bounced.status_code == 200
    assert 'content="0; url=/actions/a1.0?x=%22%3E%3Cscript%3E"' in bounced.text
    assert "script" not in bounced.text.replace("%3Cscript%3E", "")


async def test_a_link_to_sign_in_is_not_bounced(console: Desk) -> None:
    somebody = await console.nobody()

    for path in ("/login?next=/history", "/enter"):  # what stands behind its # would get lost
        assert "http-equiv" not in (await somebody.get(path, headers=CROSS)).text


async def test_what_was_asked_for_comes_after_signing_in(console: Desk) -> None:
    console.tier.approver("alice")
    origin = console.url.rstrip("/")
    somebody = await console.nobody(headers={"origin": origin})

    asked = await somebody.get("/actions/a1.0?tab=story")
    assert (asked.status_code, asked.headers["location"]) == (
        303,
        "/login?next=%2Factions%2Fa1.0%3Ftab%3Dstory",
    )
    form = await somebody.get(asked.headers["location"])
    assert 'value="/actions/a1.0?tab=story"' in form.text

    given = {"name": "alice", "token": console.tier.token_of("alice"), "next": "/actions/a1.0?tab=story"}
    entered = await somebody.post("/login", data=given)
    assert (entered.status_code, entered.headers["location"]) == (303, "/actions/a1.0?tab=story")
    assert (await somebody.get("/login?next=/history")).headers["location"] == "/history"


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "javascript:alert(1)",
    "evil",
    "/a\u00e9",
    "/logout",
    "/" + "a" * 3000,
)


async def test_nobody_is_sent_to_another_site(console: Desk) -> None:
    console.tier.approver("alice")
    somebody = await console.nobody(headers={"origin": console.url.rstrip("/")})
    given = {"name": "alice", "token": console.tier.token_of("alice")}

    for there in ELSEWHERE:
        answer = await somebody.post("/login", data=given | {"next": there})
        assert answer.headers["location"] == "/", there


async def test_a_path_that_looks_like_a_site_is_no_way_back(console: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(console))
    writer.write(b"GET //evil.example/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
    writer.write("".join(f"{name}: {value}\r\n" for name, value in CROSS.items()).encode() + b"\r\n")

    said = await reader.read()
    writer.close()

    assert b"evil" not in said


async def test_a_part_of_a_page_sends_all_of_it_to_sign_in(console: Desk) -> None:
    part = {"hx-request": "true", "hx-current-url": f"{console.url}actions/a1.0"}

    answer = await (await console.nobody()).get("/actions/a1.0/panel", headers=part)

    assert (answer.status_code, answer.headers["hx-redirect"]) == (
        401,
        "/login?next=%2Factions%2Fa1.0&ended=1",
    )


async def test_who_had_a_page_open_is_told_why_they_are_to_sign_in(console: Desk) -> None:
    somebody = await console.nobody()

    assert "Your session is over" in (await somebody.get("/login?next=/history&ended=1")).text
    assert "Your session is over" not in (await somebody.get("/login?next=/history")).text


async def test_a_stream_or_a_program_is_told_and_not_led_away(console: Desk) -> None:
    somebody = await console.nobody()

    for path, accept in (("/api/v1/me", "*/*"), ("/events", "text/event-stream")):
        assert (await somebody.get(path, headers={"accept": accept})).status_code == 401


# -- sessions ------------------------------------------------------------------------------------


async def test_a_forged_cookie_is_nobody_and_is_written_down(
    console: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    somebody = await console.nobody()

    for cookie in (b"forged", b"a" * 4000, b"../../etc", "é".encode(), b'"'):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            headers = {"cookie": b"guardtier_session=" + cookie}
            answer = await somebody.get("/api/v1/me", headers=headers)
        assert answer.status_code == 401
        assert "turned away (session): GET /api/v1/me from 127.0.0.1" in caplog.text


async def test_the_cookie_is_for_this_site_and_no_script(console: Desk) -> None:
    console.tier.approver("alice")
    somebody = await console.nobody(headers={"origin": console.url.rstrip("/")})

    answer = await somebody.post("/login", data={"name": "alice", "token": console.tier.token_of("alice")})

    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "guardtier_session"
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in rest.split(";")}
    assert "Domain" not in rest


async def test_the_cookie_alone_changes_nothing(console: Desk) -> None:
    """A browser sends it to each port of the console's name: also to a page that an agent serves there."""
    (record,) = [await console.tier.record((await console.tier.client().submit(high())).id)]
    console.tier.approver("alice")
    origin = console.url.rstrip("/")
    browser = await console.nobody(headers={"origin": origin, "sec-fetch-site": "same-origin"})
    seat = "5e" * 32
    signed_in = {"name": "alice", "token": console.tier.token_of("alice"), "seat": seat}
    assert (await browser.post("/login", data=signed_in)).status_code == 303
    thief = await console.nobody(headers=browser.headers, cookies=browser.cookies)
    csrf = (await thief.get("/api/v1/me")).json()["csrf"]
    said = {"choice": "approve", "digest": record.digest, "shown": record.shown}

    for made_up in (
        {},
        {"x-guardtier-seat": ""},
        {"x-guardtier-seat": "00" * 32},
        {"x-guardtier-seat": csrf},
    ):
        answer = await thief.post(
            f"/api/v1/actions/{record.id}/answer", json=said, headers={"x-csrf-token": csrf} | made_up
        )
        assert answer.status_code == 403, answer.text
    assert (await console.tier.record(record.id)).state is State.PARKED

    own = {"x-csrf-token": csrf, "x-guardtier-seat": seat}
    answer = await browser.post(f"/api/v1/actions/{record.id}/answer", json=said, headers=own)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("seat", ["", "x", "5E" * 32, "5e" * 31, "5e" * 33, "é" * 64])
async def test_what_is_no_seat_is_none(console: Desk, seat: str) -> None:
    console.tier.approver("alice")
    browser = await console.nobody(headers={"origin": console.url.rstrip("/")})
    signed_in = {"name": "alice", "token": console.tier.token_of("alice"), "seat": seat}

    assert (await browser.post("/login", data=signed_in)).status_code == 303
    csrf = (await browser.get("/api/v1/me")).json()["csrf"]

    answer = await browser.post("/api/v1/answers", json={}, headers={"x-csrf-token": csrf})
    assert answer.status_code == 422


async def test_signing_in_again_ends_the_session_before(console: Desk) -> None:
    alice = await console.browser("alice")
    before = dict(alice.cookies)

    await alice.post("/login", data={"name": "alice", "token": console.tier.token_of("alice")})

    assert dict(alice.cookies) != before
    old = await console.nobody(cookies=before)
    assert (await old.get("/api/v1/me")).status_code == 401


async def test_who_is_taken_out_of_the_file_is_out(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(credentials, "ASK_SECONDS", 0.0)
    console = await start_console(tier)
    browser, program = await console.browser("alice"), await console.program("bob")
    assert {(await one.get("/api/v1/me")).status_code for one in (browser, program)} == {200}

    tier.fire("alice")
    tier.fire("bob")

    assert {(await one.get("/api/v1/me")).status_code for one in (browser, program)} == {401}
    assert (await browser.get("/")).headers["location"] == "/login"


async def test_where_the_tier_is_away_nobody_is_let_in(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "ASK_SECONDS", 0.0)
    console = await start_console(tier)
    alice = await console.browser("alice")
    for worker in tier.workers:
        await worker.stop()
    monkeypatch.setattr(credentials, "TIER_SECONDS", 0.3)

    assert (await alice.get("/api/v1/me")).status_code == 504


async def test_a_console_open_to_viewers_shows_and_takes_nothing(
    tier: Tier, start_console: StartConsole
) -> None:
    console = await start_console(tier, open_to_viewers=True)
    somebody = await console.nobody()

    assert (await somebody.get("/")).status_code == 200
    me = (await somebody.get("/api/v1/me")).json()
    assert (me["role"], me["csrf"]) == ("viewer", "")
    bounced = await somebody.get("/history", headers=CROSS)  # they may have signed in, which a link hides
    assert 'http-equiv="refresh"' in bounced.text
