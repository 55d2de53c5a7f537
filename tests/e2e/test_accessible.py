"""axe-core finds no serious violation on any page, wide and light, narrow and dark."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from consoles import Desk, StartConsole
from e2e.axe import violations
from e2e.people import People
from e2e.world import ALL, filled, with_histories
from tier import StartTier

#: axe puts styles into what it looks at, which the content security policy would stop.
LOOKS: dict[str, dict[str, Any]] = {
    "light-1280": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}, "bypass_csp": True},
    "dark-390": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}, "bypass_csp": True},
}
PAGES = (
    "/",
    "/history",
    "/audit",
    "/stats",
    "/grants",
    "/policy",
    "/workers",
    "/fleets",
    "/conversations/web/c-1",
    "/nowhere",
)
OF_AN_ACTION = ("/actions/{}", "/actions/{}/story")


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    return LOOKS[request.param]


async def test_no_page_has_a_serious_violation(
    start_tier: StartTier, start_console: StartConsole, people: People, look: dict[str, Any]
) -> None:
    console = await start_console(await with_histories(start_tier))
    world = await filled(console.tier)
    alice = await people.person(console, may=ALL, **look)

    for path in (
        *PAGES,
        *(path.format(action_id) for action_id, _ in world.actions for path in OF_AN_ACTION),
    ):
        await alice.page.goto(path)
        assert await alice.page.evaluate(OVERFLOW) <= 0, f"{path} is wider than the window"
        assert await violations(alice.page) == [], path


async def test_no_dialog_has_a_serious_violation(
    console: Desk, people: People, look: dict[str, Any]
) -> None:
    world = await filled(console.tier)
    alice = await people.person(console, may=ALL, **look)
    waiting, _ = world.actions[-1]
    await alice.at_inbox()
    await alice.opens(waiting)
    assert await violations(alice.page) == []

    for what in ("approve", "reject", "edit", "remember"):
        button = alice.detail.locator(f'[data-do="{what}"]')
        if await button.count() and await button.is_enabled():
            await button.click()
            await expect(alice.page.locator("dialog[open]")).to_be_visible()
            assert await violations(alice.page) == []
            await alice.page.keyboard.press("Escape")


async def test_what_everybody_sees_has_none_either(
    console: Desk, people: People, look: dict[str, Any]
) -> None:
    page = await people.page(console, **look)
    await page.goto("/login")
    assert await violations(page) == []

    alice = await people.person(console, **look)
    await alice.at_inbox()  # with nothing in it
    assert await violations(alice.page) == []


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def test_a_narrow_window_and_forced_colours_hide_nothing(
    start_tier: StartTier, start_console: StartConsole, people: People
) -> None:
    """320 px is what 1280 are at 400 %; forced colours draw borders that are transparent elsewhere."""
    console = await start_console(await start_tier())
    world = await filled(console.tier)
    narrow = {"viewport": {"width": 320, "height": 700}, "forced_colors": "active"}
    alice = await people.person(console, may=ALL, **narrow)

    for path in (*PAGES, f"/actions/{world.actions[0][0]}"):
        await alice.page.goto(path)
        assert await alice.page.evaluate(OVERFLOW) <= 0, f"{path} is wider than the window"

    await alice.page.goto("/policy")
    borders = await alice.page.locator(".bar nav a").evaluate_all(
        "links => links.map(link => getComputedStyle(link).borderBottomColor)"
    )
    assert len(set(borders)) == 2  # the current page's, and all others'
