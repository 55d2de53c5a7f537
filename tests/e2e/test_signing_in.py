"""Signing in by the page."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from consoles import Desk
from e2e.people import People, Person
from tier import high


async def test_somebody_signs_in_and_out(console: Desk, people: People) -> None:
    console.tier.approver("alice", ["web"])
    alice = Person(await people.page(console), console, "alice")

    await alice.sign_in_by_the_form()

    await expect(alice.page.get_by_role("heading", name="Inbox", level=1)).to_be_visible()
    await expect(alice.page.locator("header")).to_contain_text("alice")
    await alice.page.get_by_role("button", name="Sign out").click()

    await alice.page.wait_for_url("**/login")
    await alice.page.goto("/")
    await alice.page.wait_for_url("**/login**")


async def test_a_wrong_token_is_refused_in_words(console: Desk, people: People) -> None:
    console.tier.approver("alice")
    page = await people.page(console)
    await page.goto("/login")

    await page.get_by_label("Name", exact=True).fill("alice")
    await page.get_by_label("Token", exact=True).fill("made-up")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("No approver has this name and token")
    assert page.url.endswith("/login")


async def test_a_script_of_the_page_reads_no_cookie(console: Desk, people: People) -> None:
    alice = await people.person(console)
    await alice.at_inbox()

    (cookie,) = await alice.page.context.cookies()

    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert await alice.page.evaluate("document.cookie") == ""


async def test_a_page_at_another_port_is_sent_the_cookie_and_can_change_nothing(
    console: Desk, people: People
) -> None:
    """As an agent may serve one beside the console: cookies know no ports."""
    action = high().placed_in(0)
    alice = await people.person(console)
    await alice.at_inbox()
    waiting = asyncio.create_task(console.tier.client().check(action, timeout=90))
    await alice.opens(action.id)
    sent: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = (await reader.readuntil(b"\r\n\r\n")).decode()
        sent.extend(line[8:] for line in said.split("\r\n") if line.lower().startswith("cookie: "))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as agents:
        other = await alice.page.context.new_page()
        there = f"http://127.0.0.1:{agents.sockets[0].getsockname()[1]}/"
        await other.goto(there)
        await other.close()
    assert set(people.problems) == {f"request to {there}"}  # what no page of the console does
    people.problems.clear()
    own = {"origin": console.url.rstrip("/"), "sec-fetch-site": "same-origin"}
    thief = await console.nobody(headers=own | {"cookie": sent[0]})
    me = (await thief.get("/api/v1/me")).json()
    record = await console.tier.record(action.id)
    said = {"choice": "approve", "digest": record.digest, "shown": record.shown}
    refused = await thief.post(
        f"/api/v1/actions/{action.id}/answer", json=said, headers={"x-csrf-token": me["csrf"]}
    )

    assert (me["me"]["name"], refused.status_code) == ("alice", 403)
    await alice.answers("approve")
    assert (await waiting).decided_by == ("alice",)
