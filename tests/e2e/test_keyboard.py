"""The keyboard alone: signing in, finding, reading and answering, with no mouse."""

from __future__ import annotations

import asyncio

from playwright.async_api import Locator, Page, expect

from consoles import Desk
from e2e.people import People, Person
from guardtier import Outcome
from tier import high

MOST_TABS = 60


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(MOST_TABS):
        if await wanted.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


async def test_everything_goes_without_a_mouse(console: Desk, people: People) -> None:
    actions = [high(f"rm -rf /srv/{number}").placed_in(0) for number in range(2)]
    waiting = [asyncio.create_task(console.tier.client().check(one, timeout=90)) for one in actions]
    await console.tier.parked(2)
    console.tier.approver("alice")
    page = await people.page(console)
    alice = Person(page, console, "alice")

    await page.goto("/login")
    await tab_to(page, page.get_by_label("Name", exact=True))
    await page.keyboard.type("alice")
    await page.keyboard.press("Tab")
    await page.keyboard.type(console.tier.token_of("alice"))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/")
    await alice.is_live()

    shown = [
        str(one)
        for one in await page.locator("#rows .row").evaluate_all("all => all.map(one => one.dataset.id)")
    ]
    by_id = {one.id: task for one, task in zip(actions, waiting, strict=True)}
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await alice.sees(shown[0])
    await page.keyboard.press("r")
    await expect(alice.dialog).to_be_visible()
    await tab_to(page, alice.dialog.locator('[name="reason"]'))
    await page.keyboard.type("by hand")
    await tab_to(page, alice.dialog.locator('[data-do="confirm"]'))
    await page.keyboard.press("Enter")
    verdict = await by_id[shown[0]]
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "by hand")


async def test_escape_closes_a_dialog_and_answers_nothing(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(parked.id)

    await alice.page.keyboard.press("a")
    await expect(alice.dialog).to_be_visible()
    await alice.page.keyboard.press("Escape")

    await expect(alice.dialog).not_to_be_visible()
    assert (await console.tier.record(parked.id)).verdict is None


async def test_keys_can_be_switched_off(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(parked.id)

    await alice.page.keyboard.press("?")
    helping = alice.page.locator("dialog[open]")
    await expect(helping).to_be_visible()
    await helping.get_by_role("checkbox").first.click()
    await alice.page.keyboard.press("Escape")
    await alice.page.keyboard.press("a")

    await expect(alice.page.locator("dialog[open]")).to_have_count(0)


async def test_enter_opens_what_was_searched_for_and_nothing_else(console: Desk, people: People) -> None:
    wanted = await console.tier.client().submit(high("rm -rf /srv/wanted"))
    await console.tier.client().submit(high("rm -rf /srv/newer"))
    alice = await people.person(console)
    await alice.at_inbox()

    await alice.page.keyboard.press("/")
    await alice.page.keyboard.type("wanted")
    await alice.page.keyboard.press("Enter")

    await alice.sees(wanted.id)


async def test_an_edit_of_a_file_is_found_by_its_path_and_shows_it(console: Desk, people: People) -> None:
    text = "x" * 2000
    arguments = {"command": "str_replace", "new_str": text, "old_str": text, "path": "/etc/ssh/sshd_config"}
    edit = high().model_copy(update={"tool_name": "str_replace_editor", "arguments": arguments})
    parked = await console.tier.client().submit(edit)
    await console.tier.client().submit(high("rm -rf /srv/newer"))
    alice = await people.person(console)
    await alice.at_inbox()

    await alice.page.locator("#filter-text").fill("sshd_config")

    await expect(alice.page.locator("#rows .row")).to_have_count(1)
    row = alice.page.locator(f'[id="row-{parked.id}"]')
    await expect(row).to_contain_text("str_replace · path: /etc/ssh/sshd_config")
