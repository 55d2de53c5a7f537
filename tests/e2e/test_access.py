"""Getting in, with a real browser: one-time links, links from elsewhere, other sites, single sign-on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from consoles import Desk, StartConsole
from e2e.people import WAIT_MS
from guardtier.answer import key_of
from guardtier.signer import Signer
from guardtier_workers import approvers
from guardtier_workers.approvers import Right
from guardtier_workers.console.access.links import Links
from oidcprovider import CLIENT, SECRET, OidcProvider, provider_on_loopback
from tier import Tier, high

CHAT = "http://chat.example/"


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser that knows nobody yet."""
    made = await browser.new_context()
    made.set_default_timeout(WAIT_MS)
    yield made
    await made.close()


async def at_another_site(page: Page, html: str) -> None:
    """Show this as a page of a site that is not ours."""

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=html)

    await page.context.route(f"{CHAT}**", answer)
    await page.goto(CHAT)


async def sign_in(page: Page, desk: Desk, name: str = "alice") -> None:
    desk.tier.approver(name)
    await page.goto(f"{desk.url}login")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Token", exact=True).fill(desk.tier.token_of(name))
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_a_link_lets_in_by_its_button_and_leaves_no_code(
    tier: Tier, start_console: StartConsole, context: BrowserContext, tmp_path: Path
) -> None:
    tier.approver("alice")
    desk = await start_console(tier, state_dir=tmp_path)
    code = Links(tmp_path).make(Signer("alice", key_of(tier.token_of("alice"))))
    page = await context.new_page()

    await page.goto(f"{desk.url}enter#alice.{code}")

    await expect(page.get_by_role("button", name="Continue as alice")).to_be_focused()
    assert page.url == f"{desk.url}enter"
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("alice")).to_be_visible()
    await page.go_back()
    assert code not in page.url
    await page.goto(f"{desk.url}enter#alice.{code}")
    await page.get_by_role("button", name="Continue as alice").click()
    await expect(page.get_by_role("alert")).to_contain_text("guardtier console prints another")


async def test_a_link_in_a_chat_opens_what_it_names(console: Desk, context: BrowserContext) -> None:
    action = (await console.tier.client().submit(high("rm -rf ~/.aws"))).id
    page = await context.new_page()
    there = f"{console.url}actions/{action}"

    await at_another_site(page, f'<a href="{there}">look</a>')
    await page.get_by_role("link", name="look").click()
    await page.wait_for_url("**/login?next=*")  # nobody has signed in yet
    await sign_in(page, console)

    await at_another_site(page, f'<a href="{there}">look</a>')
    await page.get_by_role("link", name="look").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.url == there
    await expect(page.locator("#detail")).to_contain_text("rm -rf ~/.aws")


async def test_signing_in_leads_to_what_was_asked_for(console: Desk, context: BrowserContext) -> None:
    page = await context.new_page()
    console.tier.approver("alice")

    await page.goto(f"{console.url}history?outcome=approved")
    await page.get_by_label("Name", exact=True).fill("alice")
    await page.get_by_label("Token", exact=True).fill(console.tier.token_of("alice"))
    await page.get_by_role("button", name="Sign in", exact=True).click()

    await page.wait_for_url("**/history?outcome=approved")


async def test_another_site_can_not_act_or_look_in(console: Desk, context: BrowserContext) -> None:
    page = await context.new_page()
    await sign_in(page, console)
    token = console.tier.token_of("alice")
    hostile = f"""
      <form id="out" method="post" action="{console.url}logout"><input name="csrf" value="x"></form>
      <form id="in" method="post" action="{console.url}login">
        <input name="name" value="alice"><input name="token" value="{token}"></form>
      <iframe src="{console.url}"></iframe>
      <script>
        window.seen = [];
        fetch("{console.url}api/v1/me", {{credentials: "include"}})
          .then((a) => a.text()).then((t) => seen.push(t), () => seen.push("refused"));
      </script>"""

    for form in ("out", "in"):
        await at_another_site(page, hostile)
        await page.wait_for_function("window.seen.length > 0")
        assert await page.evaluate("window.seen") == ["refused"]
        async with page.expect_navigation():
            await page.evaluate(f"document.getElementById('{form}').submit()")
        await expect(page.get_by_text("another site has asked for this")).to_be_visible()

    await page.goto(console.url)
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_single_sign_on_with_its_cookies(
    tier: Tier, start_console: StartConsole, context: BrowserContext, tmp_path: Path
) -> None:
    async with provider_on_loopback() as provider:
        desk = await with_provider(tier, start_console, provider, tmp_path)
        page = await context.new_page()

        await page.goto(f"{desk.url}history")
        link = page.get_by_role("link", name="Sign in with Example ID")
        await expect(link).to_have_attribute("href", re.compile(r"seat=[0-9a-f]{64}"))
        await link.click()

        await page.wait_for_url("**/history")
        asked = await page.evaluate(
            "import('/static/api.js').then((api) => api.call('POST', '/answers', {}))"
        )
        assert asked["status"] == 422  # it may ask: with what this browser keeps
        await page.evaluate("localStorage.clear()")
        asked = await page.evaluate(
            "import('/static/api.js').then((api) => api.call('POST', '/answers', {}))"
        )
        assert asked["status"] == 403
        await expect(page.get_by_text("sam", exact=False).first).to_be_visible()
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


async def with_provider(
    tier: Tier, start_console: StartConsole, provider: OidcProvider, folder: Path
) -> Desk:
    tier.approver("console", may=[Right.VOUCH])
    (folder / "voucher").touch(mode=0o600)
    (folder / "voucher").write_text(tier.token_of("console"))
    who = {"subject": f"{provider.url} {provider.subject}", "vouched_by": ["console"], "with_token": False}
    approvers.add(tier._approvers_file, "sam", **who)
    oidc = {
        "issuer": provider.url,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "label": "Example ID",
    }
    return await start_console(tier, voucher="console", voucher_token_file=folder / "voucher", oidc=oidc)
