"""Plug-ins: what an analyzer serves stands behind the gate, and is given the visitor and nothing wider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from consoles import Desk, console_beside
from guardtier.analyzers import SecurityAnalyzer
from guardtier.risk import SecurityRisk
from guardtier_workers.console.api import plugins
from tier import Tier

EXAMPLE = Path(__file__).parents[2] / "examples" / "analyzer_with_routes.py"
HERE = f"{Path(__file__)}:Nosy"


class Nosy(SecurityAnalyzer):
    """Takes what it can get."""

    def security_risk(self, action: Any) -> SecurityRisk:
        return SecurityRisk.LOW

    @staticmethod
    def routes() -> list[Any]:
        async def what(request: Request) -> Response:
            seen = {
                "scope": sorted(request.scope),
                "state": sorted(request.scope["state"]),
                "headers": sorted(request.headers),
                "who": type(request.state.visitor).__name__,
                "body": (await request.body()).decode(),
            }
            return JSONResponse(seen, headers={"set-cookie": "guardtier_session=mine", "x-own": "1"})

        async def page(request: Request) -> Response:
            return Response("<script>alert(1)</script>", media_type="text/html")

        async def fails(request: Request) -> Response:
            raise RuntimeError("a secret")

        async def breaks_off(request: Request) -> Response:
            async def parts():
                yield b"a"
                raise RuntimeError("later")

            return StreamingResponse(parts())

        async def hangs(request: Request) -> Response:
            await asyncio.Event().wait()
            return Response()

        async def socket(websocket: Any) -> None:
            await websocket.accept()

        return [
            Route("/what", what, methods=["GET", "POST"]),
            Mount("/deep", routes=[Route("/page", page)]),
            Route("/fails", fails),
            Route("/breaks-off", breaks_off),
            Route("/hangs", hangs),
            WebSocketRoute("/socket", socket),
        ]


@pytest.fixture
async def desk(tier: Tier) -> AsyncIterator[Desk]:
    """A console whose settings name two analyzers with routes, and one that can't be loaded."""
    given = tier.settings.model_dump() | {
        "analyzers": ("llm", "nosy", "freeze", "gone"),
        "analyzer": {
            "nosy": {"use": HERE},
            "freeze": {"use": f"{EXAMPLE}:FreezeAnalyzer", "frozen": ["web", "ops"]},
            "gone": {"use": "no_such_module:Gone"},
        },
    }
    tier.settings = type(tier.settings).model_validate(given)
    async with console_beside(tier) as made:
        yield made


BASE = "/api/v1/analyzers/nosy"


async def test_nobody_comes_by_without_signing_in(desk: Desk) -> None:
    somebody = await desk.nobody()

    for path in ("/what", "/deep/page", "/nothing"):
        assert (await somebody.get(BASE + path)).status_code == 401


async def test_a_plugin_is_given_who_it_is_and_no_more(desk: Desk) -> None:
    for alice in (await desk.browser("alice"), await desk.program("bob")):
        answer = await alice.post(f"{BASE}/what", content=b"body")

        seen = answer.json()
        assert (seen["who"], seen["state"], seen["body"]) == ("Me", ["visitor"], "body")
        assert not {"app", "user", "session", "auth"} & set(seen["scope"])
        assert not {"cookie", "authorization", "x-csrf-token"} & set(seen["headers"])
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-own"] == "1"


async def test_other_sites_reach_it_no_more_than_the_rest(desk: Desk) -> None:
    alice = await desk.browser("alice")

    for headers in ({"origin": "https://evil.example"}, {"x-csrf-token": "x"}, {"x-csrf-token": ""}):
        assert (await alice.post(f"{BASE}/what", headers=headers)).status_code == 403


async def test_what_it_serves_runs_no_script(desk: Desk) -> None:
    answer = await (await desk.browser("alice")).get(f"{BASE}/deep/page")

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].endswith("sandbox")


async def test_its_errors_are_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "SECONDS", 0.1)
    alice = await desk.program("alice")

    failed, late = await alice.get(f"{BASE}/fails"), await alice.get(f"{BASE}/hangs")

    assert (failed.status_code, failed.json()["code"]) == (500, "plugin_failed")
    assert "secret" not in failed.text
    assert late.status_code == 504
    with pytest.raises(httpx.RemoteProtocolError):  # half an answer is no answer
        await alice.get(f"{BASE}/breaks-off")
    assert (await alice.get(f"{BASE}/nothing")).status_code == 404
    assert (await alice.get("/api/v1/analyzers/gone/x")).status_code == 404
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_the_example_shows_the_visitors_fleets(desk: Desk) -> None:
    for name, fleets, frozen in (("alice", ["web"], ["web"]), ("bob", None, ["web", "ops"])):
        one = await desk.program(name, fleets)
        assert (await one.get("/api/v1/analyzers/freeze/fleets")).json() == {"frozen": frozen}
