"""Signing in by the page."""

from __future__ import annotations

from playwright.async_api import expect

from consoles import Desk
from e2e.people import People


async def test_somebody_signs_in_and_out(console: Desk, people: People) -> None:
    alice = await people.person(console, "alice", ["web"])

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

    (cookie,) = await alice.page.context.cookies()

    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert await alice.page.evaluate("document.cookie") == ""
