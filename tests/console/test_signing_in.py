"""Signing in: who comes with a token, by a program or by the page."""

from __future__ import annotations

from consoles import Desk


async def test_a_program_comes_with_name_and_token(console: Desk) -> None:
    alice = await console.program("alice", ["web"])

    answer = await alice.get("/api/v1/me")

    assert answer.status_code == 200
    assert answer.json()["me"]["fleets"] == ["web"]
    assert answer.json()["role"] == "approver"


async def test_a_browser_signs_in_and_sees_its_page(console: Desk) -> None:
    alice = await console.browser("alice")

    page = await alice.get("/")

    assert page.status_code == 200
    assert "Sign out" in page.text


async def test_a_wrong_token_signs_nobody_in(console: Desk) -> None:
    console.tier.approver("alice")
    somebody = await console.nobody()

    answer = await somebody.post("/login", data={"name": "alice", "token": "wrong"})

    assert answer.status_code == 403
    assert not somebody.cookies
    assert (await somebody.get("/")).status_code == 303
