"""What has happened, in a browser: searched, followed step by step, and with the keyboard alone."""

from __future__ import annotations

import re

from playwright.async_api import expect

from consoles import Desk
from e2e.axe import violations
from e2e.people import People
from tier import Tier, high


async def rejected(tier: Tier, command: str, reason: str) -> str:
    parked = await tier.client().submit(high(command))
    await tier.approver("bob").reject(parked.id, reason=reason)
    return parked.id


async def test_the_detail_tells_what_happened_to_the_action(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.page.goto(f"/actions/{parked.id}")

    steps = alice.detail.locator(".timeline .step")

    await expect(steps).to_have_count(3)
    await expect(steps.last).to_contain_text("it waits for people")


async def test_a_search_finds_who_said_no_and_leads_to_the_story(console: Desk, people: People) -> None:
    await rejected(console.tier, "rm -rf /srv", "not there")
    wanted = await rejected(console.tier, "drop table orders", "<b>never</b>")
    alice = await people.person(console)
    await alice.page.goto("/history")

    await alice.page.get_by_label("Text").fill("orders")
    await alice.page.keyboard.press("Enter")
    await expect(alice.page.locator(".decision")).to_have_count(1)
    await alice.page.get_by_role("link", name="story", exact=True).click()

    await expect(alice.page.locator("h1")).to_contain_text(wanted)
    await expect(alice.page.locator('.step[data-event="rejected"]')).to_contain_text("<b>never</b>")
    assert "style=" not in await alice.page.locator("main").inner_html()


async def test_what_is_loaded_behind_a_list_is_where_the_keyboard_goes_on(
    console: Desk, people: People
) -> None:
    for number in range(3):
        await rejected(console.tier, f"rm {number}", "no")
    alice = await people.person(console)
    await alice.page.goto("/history?limit=1")

    await alice.page.get_by_role("link", name="Look further back").press("Enter")

    await expect(alice.page.locator(".decision")).to_have_count(2)
    second = alice.page.locator(".decision").nth(1).get_by_role("link").first
    await expect(second).to_be_focused()
    await expect(second).to_have_text("rm 1")


async def test_the_charts_say_the_same_as_their_table(console: Desk, people: People) -> None:
    await rejected(console.tier, "rm -rf /srv", "no")
    alice = await people.person(console, bypass_csp=True)

    await alice.page.goto("/stats?span=hour")
    await alice.page.get_by_text("The same as a table").click()

    chart = alice.page.locator('[data-chart="rejected"]')
    await expect(chart.locator(".chart-total")).to_have_text("1")
    await expect(chart.locator("rect")).to_have_count(1)
    cells = alice.page.locator("table tbody tr").last.locator("td")
    assert (await cells.all_inner_texts())[:6] == ["0", "1", "0", "0", "1", "0"]
    assert await violations(alice.page) == []


async def test_the_audit_and_the_story_have_no_serious_violation(console: Desk, people: People) -> None:
    action_id = await rejected(console.tier, "rm -rf /srv", "no")
    alice = await people.person(console, bypass_csp=True)

    for path in ("/audit", f"/actions/{action_id}/story"):
        await alice.page.goto(path)
        await expect(alice.page.locator("main li").first).to_be_visible()
        assert await violations(alice.page) == []


async def test_a_time_says_on_hovering_what_the_readers_clock_says(console: Desk, people: People) -> None:
    await rejected(console.tier, "rm -rf /srv", "not there")
    alice = await people.person(console, timezone_id="America/New_York")
    await alice.page.goto("/history")

    told = alice.page.locator(".decision time").first

    await expect(told).to_contain_text("UTC")
    await expect(told).to_have_attribute("title", re.compile(r"\d:\d\d:\d\d.*(GMT-|E[SD]T)"))
