"""Every route there is: nobody without a credential, no other site, no other fleet gets anything of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from consoles import Desk
from guardtier.settings import Settings
from guardtier_workers.approvers import Right
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.console.app import make_app
from tier import StartTier, Tier, high

#: Open to whoever has not signed in: signing in itself, and what says nothing of any fleet.
OPEN = {"/login", "/logout", "/enter", "/oidc/start", "/oidc/callback", "/healthz", "/readyz", "/metrics"}
OPEN |= {"/api/v1/openapi.json"}
FLEET = "fleet-1"
ORIGIN = "https://evil.example"
SECRET = "rm -rf ~/.very-secret"


def every_route(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Method and path of each, with these values in its braces."""
    for route in make_app(Settings()).routes:
        if isinstance(route, Route) and "{rest" not in route.path and "{path" not in route.path:
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: values.get(found[1], "x"), route.path)
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, path


@pytest.fixture
async def tier(start_tier: StartTier) -> Tier:
    return await start_tier(fleets={FLEET: {}, "ops": {}})


async def values_of(tier: Tier) -> dict[str, str]:
    """Names that are there, in :data:`FLEET`."""
    submitted = await tier.client(FLEET).submit(high(SECRET, fleet=FLEET, conversation="talk-1"))
    await tier.parked()
    return {"id": submitted.id, "fleet": FLEET, "conversation": "talk-1", "agent": "agent-1"}


def test_there_are_routes_of_every_kind() -> None:
    found = list(every_route({}))

    assert {method for method, _ in found} >= {"GET", "POST", "PUT", "DELETE"}
    assert len(found) > 30


async def test_nobody_gets_anything_without_signing_in(console: Desk) -> None:
    values = await values_of(console.tier)
    somebody = await console.nobody(headers={"origin": console.url.rstrip("/")})

    for method, path in every_route(values):
        if path in OPEN:
            continue
        answer = await somebody.request(method, path)
        led_away = answer.status_code == 303 and answer.headers["location"].startswith("/login")
        assert answer.status_code == 401 or led_away, (method, path, answer.status_code)
        assert SECRET not in answer.text


async def test_no_other_site_changes_anything(console: Desk) -> None:
    values = await values_of(console.tier)
    admin = await console.browser("olga", None, OPERATES)
    forged: list[dict[str, Any]] = [
        {"origin": ORIGIN},
        {"sec-fetch-site": "same-site"},
        {"x-csrf-token": "made-up"},
        {"x-csrf-token": ""},
    ]

    for method, path in every_route(values):
        if method == "GET" or path in OPEN:
            continue
        for headers in forged:
            answer = await admin.request(method, path, headers=headers, json={})
            assert answer.status_code == 403, (method, path, headers, answer.text)
    assert [record.id for record in await console.tier.parked()] == [values["id"]]


async def test_what_is_another_fleets_is_told_as_what_is_not_there(console: Desk) -> None:
    there = await values_of(console.tier)
    missing = {"id": "0" * 24 + ".0", "fleet": "fleet-2", "conversation": "talk-2", "agent": "agent-9"}
    other = await console.browser("otto", ["ops"], OPERATES)

    async def told(values: dict[str, str], method: str, path: str) -> tuple[int, str]:
        answer = await other.request(method, path, json={} if method != "GET" else None)
        text = re.sub(r"\b[12]\d{12}\b", "now", answer.text)
        for name, value in values.items():
            text = text.replace(value, name)
        return answer.status_code, text

    for (method, path), (_, elsewhere) in zip(every_route(there), every_route(missing), strict=True):
        if path in OPEN or path == "/events":
            continue
        status, text = await told(there, method, path)
        assert status < 500, (method, path, text)
        assert SECRET not in text, (method, path)
        if path != elsewhere:
            assert (status, text) == await told(missing, method, elsewhere), (method, path)
    for path in ("/", "/rows", "/history", "/stats", "/grants", "/audit", "/workers/dead", "/policy"):
        asked, wrong = (f"{path}?fleet={values['fleet']}" for values in (there, missing))
        assert await told(there, "GET", asked) == await told(missing, "GET", wrong), path
    for path in ("actions", "groups", "history", "audit", "figures", "halts", "grants", "queues", "dead"):
        asked, wrong = (f"/api/v1/{path}?fleet={values['fleet']}" for values in (there, missing))
        assert await told(there, "GET", asked) == await told(missing, "GET", wrong), path
    assert [record.id for record in await console.tier.parked()] == [there["id"]]


async def test_a_viewer_changes_nothing(console: Desk) -> None:
    tier, values = console.tier, await values_of(console.tier)
    digest = (await tier.record(values["id"])).digest
    viewer = await console.browser("viv", None, [Right.SEE])
    action = f"/api/v1/actions/{values['id']}"
    body = {"choice": "approve", "digest": digest}

    answered = await viewer.post(f"{action}/answer", json=body)

    assert answered.status_code == 403, answered.text
    for method, path in every_route(values):
        if method != "GET" and path not in OPEN:
            assert (await viewer.request(method, path, json={})).status_code >= 400, (method, path)
    assert [record.id for record in await tier.parked()] == [values["id"]]
