"""Single sign-on: the provider says who somebody is, the approvers file what they may, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from consoles import Desk, StartConsole, time_stands_still_at_the_door
from guardtier import State
from guardtier.errors import ConfigError
from guardtier.signer import Signer
from guardtier_workers import approvers
from guardtier_workers.approvers import Right
from guardtier_workers.console.access import credentials, signon
from guardtier_workers.console.access.problems import SignOnFailed
from guardtier_workers.console.access.signon import SignOn
from guardtier_workers.console.access.tries import VISITS
from oidcprovider import CLIENT, SECRET, OidcProvider, provider_on_loopback
from tier import Tier, high

VISIT = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    time_stands_still_at_the_door(monkeypatch)


@pytest.fixture
async def provider() -> AsyncIterator[OidcProvider]:
    async with provider_on_loopback() as made:
        yield made


@pytest.fixture
async def console(tier: Tier, start_console: StartConsole, provider: OidcProvider, tmp_path: Path) -> Desk:
    """A console that vouches for Sam, who has no token."""
    tier.approver("console", may=[Right.VOUCH])
    (tmp_path / "voucher").touch(mode=0o600)
    (tmp_path / "voucher").write_text(tier.token_of("console") + "\n")
    approvers.add(
        tier._approvers_file,
        "sam",
        subject=f"{provider.url} sam-1",
        vouched_by=["console"],
        with_token=False,
    )
    oidc = {"issuer": provider.url, "client_id": CLIENT, "client_secret": SECRET, "label": "Example ID"}
    return await start_console(tier, voucher="console", voucher_token_file=tmp_path / "voucher", oidc=oidc)


async def signed_in(
    console: Desk, browser: httpx.AsyncClient, wanted: str = "/", seat: str = ""
) -> httpx.Response:
    """What the browser is shown when the provider has sent it back."""
    asked = await browser.get("/oidc/start", params={"next": wanted, "seat": seat})
    assert asked.status_code == 303, asked.text
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=90) as elsewhere:
        answered = await elsewhere.get(asked.headers["location"])
    return await browser.get(answered.headers["location"], headers=VISIT)


async def test_who_has_signed_in_there_answers_here(console: Desk, provider: OidcProvider) -> None:
    parked = (await console.tier.client().submit(high())).id
    sam = await console.nobody()
    assert "Sign in with Example ID" in (await sam.get("/login?next=/history")).text

    shown = await signed_in(console, sam, "/history")

    assert 'content="0; url=/history"' in shown.text
    me = (await sam.get("/api/v1/me")).json()
    assert (me["me"]["name"], me["role"]) == ("sam", "approver")
    assert "guardtier_signon" not in sam.cookies
    (asked,) = provider.asked
    assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == (
        "S256",
        "code",
        "openid",
    )
    session = console_session(shown)
    assert "SameSite=strict" in session
    assert (await console.tier.record(parked)).state is State.PARKED


def console_session(shown: httpx.Response) -> str:
    return next(
        line for line in shown.headers.get_list("set-cookie") if line.startswith("guardtier_session=")
    )


async def test_the_cookie_of_the_way_there_is_for_it_alone(console: Desk) -> None:
    somebody = await console.nobody()

    (cookie,) = (await somebody.get("/oidc/start")).headers.get_list("set-cookie")

    parts = {part.strip() for part in cookie.split(";")}
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"} <= parts
    assert (await somebody.get("/api/v1/me")).status_code == 401


#: What the provider, or whoever stands in its place, does wrong.
LIES: dict[str, Callable[[OidcProvider], Any]] = {
    "another issuer": lambda p: p.claims.update(iss="https://evil.example"),
    "another audience": lambda p: p.claims.update(aud="another-client"),
    "audiences, and no azp": lambda p: p.claims.update(aud=["another-client", "one-more"]),
    "another azp": lambda p: p.claims.update(aud=[CLIENT, "another"], azp="another"),
    "no audience": lambda p: p.claims.update(aud=None),
    "another nonce": lambda p: p.claims.update(nonce="replayed"),
    "no nonce": lambda p: p.claims.update(nonce=None),
    "expired": lambda p: p.claims.update(exp=1),
    "no end": lambda p: p.claims.update(exp=None),
    "of the future": lambda p: p.claims.update(iat=2**40, nbf=2**40),
    "another access token": lambda p: p.claims.update(at_hash="made-up"),
    "no subject": lambda p: p.claims.update(sub=None),
    "an empty subject": lambda p: p.claims.update(sub=""),
    "no text as subject": lambda p: p.claims.update(sub={"a": 1}),
    "a subject that is long": lambda p: p.claims.update(sub="x" * 256),
    "a subject with a line end": lambda p: p.claims.update(sub="sam-1\n"),
    "another's key": lambda p: setattr(p, "key", RSAKey.generate_key(2048)),
    "no signature": lambda p: setattr(p, "algorithm", "none"),
    "a public key as secret": lambda p: setattr(p, "algorithm", "HS256"),
    "no token": lambda p: p.token.update(id_token=None),
    "no real token": lambda p: p.token.update(id_token="a.b.c"),
    "another state": lambda p: p.answer.update(state="made-up"),
    "another provider's answer": lambda p: p.answer.update(iss="https://evil.example"),
    "another code": lambda p: p.answer.update(code="made-up"),
    "an error": lambda p: p.answer.update(error="access_denied", error_description="<b>no</b>"),
    "somebody nobody knows": lambda p: setattr(p, "subject", "eve-1"),
    "somebody of another case": lambda p: setattr(p, "subject", "SAM-1"),
}


async def test_what_is_not_to_be_believed_signs_nobody_in(console: Desk, provider: OidcProvider) -> None:
    honest = dict(vars(provider))

    for how, lie in LIES.items():
        vars(provider).update(honest, claims={}, answer={}, token={})
        lie(provider)
        browser = await console.nobody(verify=False)
        shown = await signed_in(console, browser)
        assert shown.status_code == 403, (how, shown.text)
        assert 'role="alert"' in shown.text, how
        assert "<b>" not in shown.text
        assert "guardtier_session" not in browser.cookies, how

    vars(provider).update(honest, claims={}, answer={}, token={})
    assert (await signed_in(console, await console.nobody())).status_code == 200


async def test_an_answer_that_nobody_asked_for_signs_nobody_in(
    console: Desk, provider: OidcProvider
) -> None:
    sam, eve = await console.nobody(), await console.nobody()
    asked = await sam.get("/oidc/start")
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=90) as elsewhere:
        back = (await elsewhere.get(asked.headers["location"])).headers["location"]

    assert (await eve.get(back, headers=VISIT)).status_code == 403  # another browser: not hers
    await eve.get("/oidc/start")
    assert (await eve.get(back, headers=VISIT)).status_code == 403
    assert (await sam.get(back, headers=VISIT)).status_code == 200
    again = await console.nobody(cookies=dict(sam.cookies))
    assert (await again.get(back, headers=VISIT)).status_code == 403  # used up
    for query in ("", "?state=", "?code=x", "?state=%00&code=%ff", "?error=x"):
        assert (await eve.get(f"/oidc/callback{query}", headers=VISIT)).status_code == 403


async def test_the_cookie_alone_changes_nothing(console: Desk) -> None:
    """As after a sign-in by token: test_access_sessions.py."""
    sam, seat = await console.nobody(headers={"origin": console.url.rstrip("/")}), "5e" * 32
    await signed_in(console, sam, seat=sha256(seat.encode()).hexdigest())
    csrf = {"x-csrf-token": (await sam.get("/api/v1/me")).json()["csrf"]}

    for more, status in (
        ({}, 403),
        ({"x-guardtier-seat": "00" * 32}, 403),
        ({"x-guardtier-seat": seat}, 422),
    ):
        answer = await sam.post("/api/v1/answers", json={}, headers=csrf | more)
        assert answer.status_code == status, answer.text


async def test_a_page_at_another_port_starts_nothing(console: Desk) -> None:
    """It would know the seat, and is sent the cookie."""
    somebody = await console.nobody()

    led = await somebody.get(
        "/oidc/start?seat=" + "5e" * 32, headers=VISIT | {"sec-fetch-site": "same-site"}
    )

    assert (led.status_code, led.headers["location"]) == (303, "/login")
    assert "set-cookie" not in led.headers


async def test_another_site_starts_nothing(console: Desk, provider: OidcProvider) -> None:
    somebody = await console.nobody()

    led = await somebody.get("/oidc/start?next=//evil.example", headers=VISIT)

    assert (led.status_code, led.headers["location"]) == (303, "/login")
    to = (await somebody.get("/oidc/start?next=//evil.example")).headers["location"]
    back = parse_qs(urlsplit(to).query)["redirect_uri"]
    assert back == [f"{console.url}oidc/callback"]


async def test_who_is_no_longer_vouched_for_is_out(
    console: Desk, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "ASK_SECONDS", 0.0)
    sam = await console.nobody()
    await signed_in(console, sam)
    assert (await sam.get("/api/v1/me")).status_code == 200

    console.tier.forget("sam")

    assert (await sam.get("/api/v1/me")).status_code == 401


async def test_who_is_another_subject_by_now_is_out(
    console: Desk, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is somebody else's now: whoever signed in as it before is not them."""
    monkeypatch.setattr(credentials, "ASK_SECONDS", 0.0)
    sam = await console.nobody()
    await signed_in(console, sam)
    assert (await sam.get("/api/v1/me")).status_code == 200
    file = console.tier._approvers_file

    file.write_text(file.read_text().replace(" sam-1", " samantha"))

    assert (await sam.get("/api/v1/me")).status_code == 401


async def test_a_new_key_of_the_provider_is_taken(
    console: Desk, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardtier_workers.console.access import provider as module

    monkeypatch.setattr(module, "ANEW_SECONDS", 0.0)
    assert (await signed_in(console, await console.nobody())).status_code == 200

    provider.key = provider.published = RSAKey.generate_key(2048, {"kid": "k2"})

    assert (await signed_in(console, await console.nobody())).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_provider_that_can_not_be_used_is_told(
    console: Desk, provider: OidcProvider, wrong: dict[str, Any]
) -> None:
    provider.metadata = wrong

    shown = await (await console.nobody()).get("/oidc/start")

    assert shown.status_code == 503
    assert "identity provider" in shown.text


async def test_ways_that_are_never_come_back_from_are_bounded(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = await console.nobody()

    said = [(await somebody.get("/oidc/start")).status_code for _ in range(VISITS.burst + 2)]

    assert (said[0], said[-1]) == (303, 429)


def test_what_is_under_way_is_bounded_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signon, "MOST", 2)
    now = 0.0
    kept = SignOn(None, Signer("console", b"key"), clock=lambda: now)  # type: ignore[arg-type]

    (first, of_first), (_, _), (third, of_third) = (kept.begin("/", "/back") for _ in range(3))
    with pytest.raises(SignOnFailed):
        kept.taken(first, of_first.state)
    now = 601.0
    with pytest.raises(SignOnFailed):
        kept.taken(third, of_third.state)


async def test_without_a_provider_there_is_no_such_page(tier: Tier, start_console: StartConsole) -> None:
    somebody = await (await start_console(tier)).nobody()

    for path in ("/oidc/start", "/oidc/callback?code=1&state=2"):
        assert (await somebody.get(path)).status_code == 404


async def test_a_voucher_whose_token_everybody_may_read_is_none(
    tier: Tier, start_console: StartConsole, tmp_path: Path
) -> None:
    oidc = {"issuer": "https://id.example", "client_id": "c", "client_secret": "s"}
    token = tmp_path / "voucher"
    token.write_text("x" * 43)
    token.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600") as caught:
        await start_console(tier, voucher="console", voucher_token_file=token, oidc=oidc)

    assert caught.value.field == "console.voucher_token_file"


async def test_a_voucher_without_its_token_is_told(tier: Tier, start_console: StartConsole) -> None:
    oidc = {"issuer": "https://id.example", "client_id": "c", "client_secret": "s"}

    with pytest.raises(ConfigError) as caught:
        await start_console(tier, voucher="console", voucher_token_file="/nowhere", oidc=oidc)

    assert caught.value.field == "console.voucher_token_file"
