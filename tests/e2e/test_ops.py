"""Workers and fleets in a browser: halting, resuming, trying again; what the tier said is what is shown."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from consoles import Desk
from e2e.axe import violations
from e2e.people import People
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from tier import high, low

KEYS = Keys(0)
OPERATES = (Right.ANSWER, Right.HALT)


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(60):
        if await page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the focus never comes to {selector}")


async def test_a_fleet_is_halted_and_goes_on_by_keys_alone(console: Desk, people: People) -> None:
    client = console.tier.client()
    assert (await client.check(low())).allowed
    page = (await people.person(console, "olga", may=OPERATES)).page
    await page.goto("/fleets")

    await tab_to(page, "#halt-web")
    await page.keyboard.press("Enter")
    await tab_to(page, "#halt-dialog [name=reason]")
    await page.keyboard.type("look <b>first</b>")
    await page.keyboard.press("Enter")

    outcome = page.locator("#halt-dialog [data-outcome]")
    await expect(outcome).to_contain_text("Halted: fleet web")
    await expect(outcome).to_contain_text("1 that were let go within the last")
    assert (await client.submit(low("ls /"))).deadline is not None  # it is parked
    await page.keyboard.press("Escape")
    await expect(page.locator("#fleet-web")).to_contain_text("look <b>first</b>")
    await expect(page.locator("#halt-web")).to_be_focused()

    await tab_to(page, '#fleet-web [data-do="resume"]')
    await page.keyboard.press("Enter")
    await tab_to(page, "#resume-dialog [data-do=confirm]")
    await page.keyboard.press("Enter")

    await expect(page.locator("#fleet-web")).to_contain_text("runs")
    await expect(page.get_by_role("button", name="Halt… fleet web")).to_be_focused()
    assert (await client.check(low("ls /srv"))).allowed


async def test_a_halt_that_somebody_has_set_meanwhile_stays(console: Desk, people: People) -> None:
    await console.tier.operator("otto").halt("web", reason="first")
    page = (await people.person(console, "olga", may=OPERATES)).page
    await page.goto("/fleets")
    await page.locator('#fleet-web [data-do="resume"]').click()
    await console.tier.operator("otto").halt("web", reason="worse")

    await page.locator("#resume-dialog [data-do=confirm]").click()

    await expect(page.locator("#resume-dialog [role=alert]")).to_contain_text("look at it again")
    await page.locator("#resume-dialog [data-do=close]").click()
    await expect(page.locator("#fleet-web")).to_contain_text("worse")


async def test_who_may_not_halt_is_told_why(console: Desk, people: People) -> None:
    page = (await people.person(console)).page
    await page.goto("/fleets")

    await page.locator("#fleet-web").get_by_text("Halt…").click(force=True)

    await expect(page.locator("#halt-dialog")).to_be_hidden()


async def test_what_the_outbox_gave_up_is_tried_again(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high())
    halt = '{"reason":"x","by":"guardtier.breaker","at":1,"scope":"web"}'
    await console.tier.redis.hset(KEYS.halts, "web", halt)
    fields = {"id": parked.id, "why": "delivered 5 times", "stream": KEYS.outbox, "op": "halt"}
    await console.tier.redis.xadd(KEYS.dead, fields | {"payload": halt})
    page = (await people.person(console, "olga", may=OPERATES)).page
    await page.goto("/workers")
    await expect(page.locator("#dead-list")).to_contain_text("outbox: halt")

    await page.get_by_role("button", name="Try again…").click()
    await page.locator("#retry-dialog [name=reason]").fill("mended")
    await page.locator("#retry-dialog [data-do=confirm]").click()

    await expect(page.locator("#dead-list li")).to_have_count(0)
    assert await console.tier.redis.xlen(KEYS.dead) == 0


async def test_the_page_is_brought_up_to_date_and_keeps_what_is_open(console: Desk, people: People) -> None:
    assert (await console.tier.client().check(low())).allowed
    page = (await people.person(console)).page
    await page.goto("/workers")
    await page.locator("#children-summary").click()  # it comes with the worker's next heartbeat
    await page.locator("#queues-scroll").focus()
    for n in range(7):
        assert (await console.tier.client().check(low(f"ls {n}"))).allowed

    await expect(page.locator("#workers-live tbody").first).to_contain_text("8", timeout=60_000)

    await expect(page.locator("#children")).to_have_attribute("open", "")
    await expect(page.locator("#queues-scroll")).to_be_focused()


async def test_no_script_of_a_dead_letter_runs(console: Desk, people: People) -> None:
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    letter = {"id": evil[:80], "why": evil, "stream": KEYS.actions("web"), "op": evil, "payload": evil}
    await console.tier.redis.xadd(KEYS.dead, letter)
    page = (await people.person(console)).page

    await page.goto("/workers")

    await expect(page.locator(".dead").first).to_contain_text(evil)
    assert await page.locator(".dead img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_their_lists_and_dialogs_have_no_serious_violation(
    console: Desk, people: People, scheme: str
) -> None:
    narrow = {"color_scheme": scheme, "viewport": {"width": 390, "height": 844}, "bypass_csp": True}
    await console.tier.operator("otto").halt(
        "web", agent="bot-1", reason="It does the same again and again"
    )
    parked = await console.tier.client().submit(high())
    for stream, op in ((KEYS.outbox, "halt"), (KEYS.answers, "approve")):
        fields = {"id": parked.id, "why": "delivered 5 times", "stream": stream, "op": op, "payload": "{}"}
        await console.tier.redis.xadd(KEYS.dead, fields)
    page = (await people.person(console, "olga", may=OPERATES, **narrow)).page
    dialogs = {"/fleets": ("halt", "resume"), "/workers": ("retry",)}
    for path, does in dialogs.items():
        await page.goto(path)
        assert await violations(page) == []
        for do in does:
            await page.locator(f'[data-do="{do}"]').first.click()
            await expect(page.locator(f"#{do}-dialog")).to_be_visible()
            assert await violations(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await page.keyboard.press("Escape")
