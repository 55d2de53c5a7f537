"""Bad input over HTTP: shown as text or refused with the right status, recorded, and the inbox goes on."""

from __future__ import annotations

from unicodedata import category

import httpx
import pytest

from consoles import Desk
from guardtier import State
from guardtier.action import ActionEvent
from tier import StartTier, Tier, high
from waiting import until

ODD = {
    "html": "</pre><h1 id=made>hello</h1><img src=x onerror=made()>",
    "script": "</script><script>made()</script>",
    "ansi": "ls \x1b[2J\x1b[1;31mgone\x1b[0m",
    "bidi": "rm -rf /\u202egpj.\u2066x",
    "zero-width": "cu\u200brl\ufeff a\u2060b",
    "nul": "ls\x00 -la",
    "tags": "ls \U000e0068\U000e0069",
    "a mebibyte": "echo " + "x" * 1_000_000,
}
PROBES = (
    "/?risk=FOO",
    "/?fleet=a%20b",
    "/actions/%00",
    "/actions/..%2f..%2fetc",
    "/actions/a.9999",
)
FORMS = {
    "another site": {"origin": "https://evil.invalid", "sec-fetch-site": "cross-site"},
    "another port": {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-site"},
    "no origin": {"origin": "null"},
    "an old browser": {"origin": "https://evil.invalid", "sec-fetch-site": ""},
    "a form of nobody": {"x-csrf-token": ""},
    "a form of another session": {"x-csrf-token": "A" * 32},
}
OF_AN_ACTION = (
    "/actions/{}",
    "/actions/{}/panel",
    "/actions/{}/edit",
    "/actions/{}/story",
    "/actions/{}/timeline",
    "/actions/{}/conversation",
    "/api/v1/actions/{}",
    "/api/v1/actions/{}/story",
    "/api/v1/actions/{}/suggestions",
)
BODIES = {
    "nothing": b"",
    "half": b"{",
    "a list": b"[]",
    "null": b"null",
    "no UTF-8": b"\xff\xfe",
    "no digest": b'{"choice": "approve"}',
    "another choice": b'{"choice": "maybe", "digest": "0"}',
    "a field more": b'{"choice": "approve", "more": 1, "digest": "' + b"0" * 64 + b'"}',
    "deep": b"[" * 100_000,
    "a long number": b"1" * 5_000,
}
CREDENTIALS = ("Basic", "Basic !", "Basic /w==", "Basic Og==", "Bearer x")
COOKIES = ("", "forged", "A" * 43, "%00", "ünïcode", "'; DROP TABLE", "../../etc/passwd")


async def parked(tier: Tier, action: ActionEvent | None = None) -> ActionEvent:
    found = (action or high()).placed_in(0)
    await tier.client(found.fleet).submit(found)
    return found


def approval(action: ActionEvent) -> dict[str, str]:
    return {"choice": "approve", "digest": action.digest}


async def answer(client: httpx.AsyncClient, action: ActionEvent, **options: object) -> httpx.Response:
    path = f"/api/v1/actions/{action.id}/answer"
    return await client.post(path, **({"json": approval(action)} | options))


async def check_inbox(client: httpx.AsyncClient, action: ActionEvent) -> None:
    """It shows what waits."""

    async def is_there() -> bool:
        page = await client.get("/")
        assert page.status_code == 200
        return action.id in page.text

    await until(is_there)


async def check_waits(tier: Tier, action: ActionEvent) -> None:
    assert (await tier.record(action.id)).state is State.PARKED


# -- what agents write -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
async def test_what_an_agent_writes_is_text(console: Desk, text: str) -> None:
    action = await parked(console.tier, high(text, summary=text[:2000], thought=text[:2000]))
    beside = await parked(console.tier, high("rm -rf /srv"))
    alice = await console.browser()

    for path in ("/", f"/actions/{action.id}", f"/actions/{action.id}/panel"):
        page = await alice.get(path)
        assert page.status_code == 200
        assert not [char for char in page.text if category(char) in ("Cc", "Cf") and char not in "\n\t"]
        assert "<script>made" not in page.text
        assert "<h1 id=made" not in page.text
        assert "<img src=x" not in page.text
    seen = (await alice.get(f"/api/v1/actions/{action.id}")).json()
    assert seen["action"]["arguments"]["command"] == text
    await check_inbox(alice, beside)


# -- who is not who they say -------------------------------------------------------------------


@pytest.mark.parametrize("cookie", COOKIES)
async def test_a_forged_cookie_is_nobody(console: Desk, cookie: str) -> None:
    action = await parked(console.tier)
    headers = {"cookie": f"guardtier_session={cookie}".encode()}
    somebody = await console.nobody(headers=headers)

    page, told, answered = (
        await somebody.get("/"),
        await somebody.get(f"/api/v1/actions/{action.id}"),
        await answer(somebody, action),
    )

    assert page.status_code == 303
    assert page.headers["location"].startswith("/login")
    assert (told.status_code, answered.status_code) == (401, 401)
    await check_waits(console.tier, action)


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 129, "alice\x00", "älice", "'--"])
async def test_a_name_that_nobody_can_have_signs_nobody_in(console: Desk, name: str) -> None:
    somebody = await console.nobody()

    page = await somebody.post("/login", data={"name": name, "token": "t"})
    told = await somebody.get("/api/v1/me", auth=(name, "t"))

    assert page.status_code == 403
    assert told.status_code == 401


@pytest.mark.parametrize("credentials", CREDENTIALS)
async def test_credentials_that_say_nothing_are_nobodys(console: Desk, credentials: str) -> None:
    somebody = await console.nobody(headers={"authorization": credentials})

    assert (await somebody.get("/api/v1/me")).status_code in (400, 401)


async def test_somebody_who_may_only_look_answers_nothing(console: Desk) -> None:
    action = await parked(console.tier)
    vera = await console.browser("vera", may=("see",))

    refused = await answer(vera, action)

    assert refused.status_code == 403
    assert refused.json()["code"] == "not_authorized"
    assert "answer_refused" in await console.tier.events(action.id)
    await check_waits(console.tier, action)
    await check_inbox(vera, action)


async def test_another_fleets_action_is_not_there(start_tier: StartTier, start_console) -> None:
    tier = await start_tier(fleets={"web": {}, "data": {}})
    console = await start_console(tier)
    action = await parked(tier)
    nothing = action.model_copy(update={"id": "0123456789abcdef01234567.0"})
    carol = await console.browser("carol", ["data"])

    async def told(asked: ActionEvent) -> list[tuple[int, str]]:
        many = {"choice": "approve", "actions": [{"id": asked.id, "digest": asked.digest}]}
        change = {"arguments": '{"command": "ls"}', "digest": asked.digest}
        found = [
            *[await carol.get(path.format(asked.id)) for path in OF_AN_ACTION],
            await answer(carol, asked),
            await carol.post("/api/v1/answers", json=many),
            await carol.post(f"/api/v1/actions/{asked.id}/edit", json=change),
            await carol.post(f"/api/v1/actions/{asked.id}/changes", json=change),
        ]
        return [(one.status_code, one.text.replace(asked.id, "ID")) for one in found]

    for its, none in zip(await told(action), await told(nothing), strict=True):
        assert its == none
        assert its[0] in (404, 200)
    assert action.id not in (await carol.get("/")).text
    await check_waits(tier, action)


# -- what a browser is tricked into ------------------------------------------------------------


@pytest.mark.parametrize("headers", FORMS.values(), ids=FORMS)
async def test_what_another_site_asks_for_is_refused(console: Desk, headers: dict[str, str]) -> None:
    action = await parked(console.tier)
    alice = await console.browser()

    refused = await answer(alice, action, headers=headers)

    assert refused.status_code == 403
    await check_waits(console.tier, action)
    await check_inbox(alice, action)


async def test_another_site_signs_nobody_in_or_out(console: Desk) -> None:
    alice = await console.browser()
    token = console.tier.token_of("alice")
    evil = {"origin": "https://evil.invalid", "sec-fetch-site": "cross-site"}

    entered = await alice.post("/login", data={"name": "alice", "token": token}, headers=evil)
    left = await alice.post("/logout", headers=evil)

    assert (entered.status_code, left.status_code) == (403, 403)
    assert (await alice.get("/")).status_code == 200


async def test_a_form_that_is_sent_again_changes_nothing(console: Desk) -> None:
    action = await parked(console.tier)
    alice = await console.browser()

    first, second = await answer(alice, action), await answer(alice, action)

    assert first.status_code == 200
    assert second.status_code in (200, 409)
    assert (await console.tier.events(action.id)).count("approved") == 1


async def test_a_form_of_a_session_that_has_ended_changes_nothing(console: Desk) -> None:
    action = await parked(console.tier)
    alice = await console.browser()
    cookies = dict(alice.cookies)
    await alice.post("/logout", data={"csrf": alice.headers["x-csrf-token"]})

    thief = await console.nobody(headers=dict(alice.headers), cookies=cookies)

    assert (await answer(thief, action)).status_code == 401
    await check_waits(console.tier, action)


# -- what can't be read ------------------------------------------------------------------------


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_none_is_refused(console: Desk, content: bytes) -> None:
    action = await parked(console.tier)
    alice = await console.browser()

    refused = await answer(alice, action, json=None, content=content)

    assert refused.status_code in (400, 413, 422)
    assert refused.json()["message"]
    await check_waits(console.tier, action)


async def test_a_body_without_end_is_cut_off(console: Desk) -> None:
    action = await parked(console.tier)
    alice = await console.browser()

    refused = await answer(alice, action, json=None, content=b" " * (3 * 1024 * 1024))

    assert refused.status_code in (413, 422)
    await check_inbox(alice, action)


@pytest.mark.parametrize("path", PROBES)
async def test_an_address_that_means_nothing_is_refused(console: Desk, path: str) -> None:
    alice = await console.browser()

    assert (await alice.get(path)).status_code in (400, 404, 422)


async def test_no_file_but_the_pages_own_is_served(console: Desk) -> None:
    somebody = await console.nobody()

    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fserve.py",
        "/static//etc/passwd",
        "/static/",
    ):
        assert (await somebody.get(path)).status_code in (303, 404), path
