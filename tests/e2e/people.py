"""People: who sits before a browser in a test, and what they do on the console's pages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    expect,
)

from consoles import Desk
from e2e.browsers import CLOSE_SECONDS
from guardtier_workers.approvers import Right

WAIT_MS = 60_000  #: for anything to show; a slow machine makes a test slow, not red

expect.set_options(timeout=WAIT_MS)

#: Chromium says so of every answer of 400 and above; what a refusal means, the tests look at.
_USUAL = "Failed to load resource: the server responded with a status of 4"

#: What the form keeps when it is sent; a later one replaces it.
KEEPS_SEAT = """
if (location.origin === "%(origin)s" && localStorage.getItem("guardtier-seat") === null)
  localStorage.setItem("guardtier-seat", "%(seat)s");
"""


class Person:
    """Somebody at one page, empty at first, signed in. Rows and the detail are as in docs/console.md."""

    def __init__(self, page: Page, desk: Desk, name: str) -> None:
        self.page, self.desk, self.name = page, desk, name

    async def sign_in(self) -> None:
        """As the form does, with a seat (seat.js), without its two pages: they load fifty files each."""
        origin, seat = self.desk.url.rstrip("/"), secrets.token_hex(32)
        await self.page.add_init_script(KEEPS_SEAT % {"origin": origin, "seat": seat})
        answer = await self.page.context.request.post(
            "/login",
            form={"name": self.name, "token": self.desk.tier.token_of(self.name), "seat": seat},
            headers={"origin": origin, "sec-fetch-site": "same-origin"},
            max_redirects=0,
        )
        assert answer.status == 303, await answer.text()

    async def sign_in_by_the_form(self) -> None:
        """As people do; it leads to the inbox."""
        await self.page.goto("/login")
        await self.page.get_by_label("Name", exact=True).fill(self.name)
        await self.page.get_by_label("Token", exact=True).fill(self.desk.tier.token_of(self.name))
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.wait_for_url("**/")

    async def at_inbox(self) -> None:
        """The inbox, live: what is parked from now on arrives."""
        await self.page.goto("/")
        await self.is_live()

    async def is_live(self) -> None:
        await expect(self.page.locator("#live")).to_have_attribute("data-state", "live")

    async def unfolds(self) -> None:
        """Show each row by itself, also those that are alike."""
        fold = self.page.locator("#fold")
        if await fold.get_attribute("aria-pressed") == "true":
            await fold.click()

    def row(self, action_id: str) -> Locator:
        return self.page.locator(f'#rows .row[data-id="{action_id}"]')

    @property
    def detail(self) -> Locator:
        return self.page.locator("#detail")

    async def opens(self, action_id: str) -> Locator:
        """The detail of a row, once it is that action's."""
        await self.row(action_id).locator(".row-open").click()
        return await self.sees(action_id)

    async def sees(self, action_id: str) -> Locator:
        """The detail, once it shows this action."""
        await expect(self.detail).to_have_attribute("data-id", action_id)
        return self.detail

    async def does(self, what: str) -> None:
        """Press one of the detail's buttons."""
        await self.detail.locator(f'[data-do="{what}"]').click()

    async def answers(self, what: str, *, reason: str = "") -> None:
        """Press a button, give the reason, and confirm."""
        await self.does(what)
        dialog = self.dialog
        await expect(dialog).to_be_visible()
        if reason:
            await dialog.locator('[name="reason"]').fill(reason)
        await dialog.locator('[data-do="confirm"]').click()

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog#answer-dialog")

    @property
    def conflict(self) -> Locator:
        """Where the page says that an answer can't count any more."""
        return self.page.locator(".conflict[role=alert]:visible").first

    @property
    def batch(self) -> Locator:
        return self.page.locator("dialog#batch-dialog")

    def outcome(self, said: str) -> Locator:
        """Where the page shows what came of it."""
        return self.page.locator(f'[data-outcome="{said}"]')


class People:
    """Makes persons, each in a browser context of their own, and listens to their pages."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts = AsyncExitStack()
        self.problems: list[str] = []  #: errors of scripts, refusals by the CSP, requests to elsewhere

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(CLOSE_SECONDS):  # Playwright's own has none
            await self._contexts.aclose()

    async def context(self, desk: Desk, **options: Any) -> BrowserContext:
        """A browser that knows nobody yet. ``options``: viewport, color_scheme, …"""
        usual = {"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1280, "height": 900}}
        context = await self._browser.new_context(base_url=desk.url, **(usual | options))
        self._contexts.push_async_callback(context.close)
        context.set_default_timeout(WAIT_MS)
        own = urlsplit(desk.url).netloc
        context.on("weberror", lambda error: self.problems.append(f"script: {error.error}"))
        context.on("console", self._hear)
        context.on("dialog", self._dismiss)
        context.on("request", lambda request: self._check(request, own))
        return context

    async def page(self, desk: Desk, **options: Any) -> Page:
        return await (await self.context(desk, **options)).new_page()

    async def person(
        self,
        desk: Desk,
        name: str = "alice",
        fleets: list[str] | None = None,
        may: Iterable[Right] = (Right.ANSWER,),
        **options: Any,
    ) -> Person:
        """An approver who has signed in. ``options``: of the browser."""
        desk.tier.approver(name, fleets, may)
        person = Person(await self.page(desk, **options), desk, name)
        await person.sign_in()
        return person

    async def _dismiss(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_USUAL):
            self.problems.append(f"{message.type}: {message.text}")

    def _check(self, request: Request, own: str) -> None:
        where = urlsplit(request.url)
        if where.scheme not in ("data", "blob", "about") and where.netloc != own:
            self.problems.append(f"request to {request.url[:200]}")
