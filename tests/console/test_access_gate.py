"""The gate: what a browser may be tricked into, and whose requests are turned away."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

import httpx
import pytest

from consoles import Desk, StartConsole
from tier import Tier

CROSS = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
SAME_SITE = {"sec-fetch-site": "same-site"}  # another port of this machine
AS_PROXY = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


def port_of(console: Desk) -> int:
    return urlsplit(console.url).port or 0


# -- names ---------------------------------------------------------------------------------------


async def test_a_name_that_is_not_ours_is_refused(console: Desk) -> None:
    somebody = await console.nobody()

    for host in ("evil.example", "evil.example:8470", "127.0.0.1.evil.example", "", "a b"):
        for path in ("/", "/login", "/api/v1/me", "/static/console.css"):
            assert (await somebody.get(path, headers={"host": host})).status_code == 421, (host, path)


async def test_what_dns_can_not_turn_is_answered(console: Desk) -> None:
    somebody = await console.nobody()

    for host in ("localhost", "LOCALHOST:1234", "console.localhost", "[::1]", "10.1.2.3"):
        assert (await somebody.get("/login", headers={"host": host})).status_code == 200, host


async def test_a_console_is_called_as_its_settings_say(tier: Tier, start_console: StartConsole) -> None:
    console = await start_console(tier, hosts=["guard.example"])

    for host, status in (("guard.example", 200), ("Guard.Example.:443", 200), ("other.example", 421)):
        assert (await (await console.nobody(headers={"host": host})).get("/login")).status_code == status


async def test_the_log_takes_no_lines_from_whoever_is_turned_away(
    console: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    somebody = await console.nobody(headers={"host": "evil.example"})

    with caplog.at_level(logging.WARNING):
        await somebody.get("/a%0aFAKE%20line%1b[31m%e2%80%ae" + "x" * 5000)

    (line,) = [line for line in caplog.messages if "turned away" in line]
    assert r"GET /a\nFAKE line\x1b[31m\u202e" in line
    assert len(line) < 600


async def test_two_host_headers_are_no_host(console: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(console))
    writer.write(
        b"GET /login HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )

    status = (await reader.read()).split(b"\r\n")[0].split()[1]
    writer.close()

    assert status in (b"400", b"421")


# -- other sites ---------------------------------------------------------------------------------


FORGED = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1", "sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {},
)


async def test_no_other_site_signs_anybody_in_or_out(console: Desk) -> None:
    alice = await console.browser("alice")
    for name in ("origin", "sec-fetch-site"):
        del alice.headers[name]
    csrf = {"csrf": alice.headers["x-csrf-token"]}
    forms = {"/login": {"name": "alice", "token": console.tier.token_of("alice")}, "/logout": csrf}

    for headers in FORGED:
        for path, data in forms.items():
            answer = await alice.post(path, data=data, headers=headers)
            assert answer.status_code == 403, (path, headers)
            assert "set-cookie" not in answer.headers
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_a_form_of_another_session_signs_nobody_out(console: Desk) -> None:
    alice, bob = await console.browser("alice"), await console.browser("bob")

    for csrf in ("", "é", bob.headers["x-csrf-token"]):
        assert (await alice.post("/logout", data={"csrf": csrf})).status_code == 403
    assert (await alice.get("/api/v1/me")).status_code == 200

    own = {"csrf": alice.headers["x-csrf-token"]}
    assert (await alice.post("/logout", data=own)).status_code == 303
    assert (await alice.get("/api/v1/me")).status_code == 401


async def test_no_other_site_loads_a_part_of_it(console: Desk) -> None:
    alice = await console.browser("alice")

    for headers in ({"sec-fetch-site": "cross-site"}, SAME_SITE, CROSS | {"sec-fetch-dest": "iframe"}):
        for path in ("/", "/api/v1/me", "/static/console.js"):
            assert (await alice.get(path, headers=headers)).status_code == 403


async def test_no_answer_lets_itself_be_framed_scripted_or_kept(console: Desk) -> None:
    alice = await console.browser("alice")

    for path in ("/", "/login", "/nowhere", "/api/v1/me", "/api/v1/nowhere"):
        headers = (await alice.get(path)).headers
        assert "script-src 'self';" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


async def test_a_browser_asks_again_for_files_that_may_be_new_after_an_upgrade(console: Desk) -> None:
    alice = await console.browser("alice")

    first = await alice.get("/static/console.js")
    assert first.headers["cache-control"] == "max-age=300"
    again = await alice.get("/static/console.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "max-age=300")


# -- size ----------------------------------------------------------------------------------------


async def test_a_request_that_is_too_large_is_refused(console: Desk) -> None:
    alice = await console.browser("alice")

    async def chunks():
        for _ in range(80):
            yield b"x" * 65_536

    told = await alice.post("/login", content=b"x" * 5_000_000)
    assert told.status_code == 413
    try:
        untold = await alice.post(
            "/login",
            content=chunks(),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert untold.status_code in (400, 413)
    except httpx.TransportError:
        pass  # it did not wait for the rest
    assert (await alice.get("/api/v1/me")).status_code == 200


FORMS = (
    ("application/x-www-form-urlencoded", b"a=1&" * 1000),
    ("application/x-www-form-urlencoded", b"name=" + b"x" * 50_000),
    ("application/x-www-form-urlencoded", b"name=%ff%fe&token=%00"),
    ("application/x-www-form-urlencoded", b"name=a+b&token=x"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n'),
    ("multipart/form-data", b"nothing"),
    ("application/json", b"{}"),
    ("", b""),
)


async def test_a_form_that_can_not_be_read_is_refused(console: Desk) -> None:
    somebody = await console.nobody(headers={"origin": console.url.rstrip("/")})

    for kind, body in FORMS:
        for path in ("/login", "/enter", "/logout"):
            answer = await somebody.post(path, content=body, headers={"content-type": kind})
            assert answer.status_code in (303, 400, 403, 429), (path, kind, body[:20])
            assert not somebody.cookies


async def test_nothing_here_is_a_websocket(console: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(console))
    writer.write(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )

    line = await reader.readline()
    writer.close()

    assert b"101" not in line


# -- proxies -------------------------------------------------------------------------------------


async def test_only_a_listed_proxy_says_who_came_and_how(tier: Tier, start_console: StartConsole) -> None:
    plain, behind = await start_console(tier), await start_console(tier, proxies=["127.0.0.0/8"])
    tier.approver("alice")
    given = {"name": "alice", "token": tier.token_of("alice")}

    believed = await behind.nobody(headers=AS_PROXY | {"host": "10.0.0.1", "origin": "https://10.0.0.1"})
    cookie = (await believed.post("/login", data=given)).headers["set-cookie"]
    assert cookie.startswith("__Host-guardtier_session=")
    assert "Secure" in cookie

    made_up = await plain.nobody(headers=AS_PROXY | {"origin": plain.url.rstrip("/")})
    assert (await made_up.post("/login", data=given)).headers["set-cookie"].startswith("guardtier_session=")


async def test_plain_http_from_another_machine_is_refused(tier: Tier, start_console: StartConsole) -> None:
    console = await start_console(tier, proxies=["127.0.0.0/8"])
    tier.approver("alice")
    given = {"name": "alice", "token": tier.token_of("alice")}

    for sender in ("203.0.113.9", "localhost", "2001:db8::1", "nobody"):
        headers = {"x-forwarded-for": sender, "x-forwarded-proto": "http"}
        answer = await (await console.nobody(headers=headers)).post("/login", data=given)
        assert answer.status_code == 403
        assert "HTTPS" in answer.text


async def test_over_tls_only_a_host_cookie_is_a_session(tier: Tier, start_console: StartConsole) -> None:
    console = await start_console(tier, proxies=["127.0.0.0/8"])
    tier.approver("alice")
    https = AS_PROXY | {"host": "10.0.0.1", "origin": "https://10.0.0.1"}
    alice = await console.nobody(headers=https)
    made = await alice.post("/login", data={"name": "alice", "token": tier.token_of("alice")})
    name = made.headers["set-cookie"].split(";")[0].partition("=")[2]

    for called, status in (("__Host-guardtier_session", 200), ("guardtier_session", 401)):
        somebody = await console.nobody(headers=https | {"cookie": f"{called}={name}"})
        assert (await somebody.get("/api/v1/me")).status_code == status


async def test_the_console_answers_while_others_are_turned_away(console: Desk) -> None:
    alice = await console.browser("alice")
    strangers = [await console.nobody(headers={"cookie": f"guardtier_session={n}"}) for n in range(20)]

    answers = await asyncio.gather(*(one.get("/api/v1/me") for one in strangers))

    assert {answer.status_code for answer in answers} == {401}
    assert (await alice.get("/")).status_code == 200
