"""Reading in a browser: the list under the hand, the panel beside it, filters, groups, what is folded."""

from __future__ import annotations

from playwright.async_api import expect

from consoles import Desk
from e2e.people import People
from editing import parked
from guardtier.policy.terms import Terms
from tier import high, unknown


async def test_keys_go_through_the_list_and_the_panel_follows(console: Desk, people: People) -> None:
    client = console.tier.client()
    second = await client.submit(high("rm -rf /srv"))
    first = await client.submit(high("rm -rf /opt"))
    alice = await people.person(console)
    await alice.at_inbox()
    await expect(alice.row(first.id)).to_be_visible()

    await alice.page.keyboard.press("j")
    await alice.sees(first.id)
    await alice.page.keyboard.press("j")
    detail = await alice.sees(second.id)
    await alice.page.keyboard.press("Enter")
    await expect(detail.locator("h2").first).to_be_focused()
    await alice.page.keyboard.press("Escape")
    await expect(alice.row(second.id).locator(".row-open")).to_be_focused()
    await alice.page.keyboard.press("k")
    await alice.sees(first.id)
    await alice.page.keyboard.press("x")

    await expect(alice.page.locator("#batch")).to_contain_text("1 selected")
    await expect(alice.row(first.id).locator(".row-pick")).to_be_checked()


async def test_keys_can_be_switched_off(console: Desk, people: People) -> None:
    await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.at_inbox()

    await alice.page.keyboard.press("?")
    dialog = alice.page.locator("#keys-dialog")
    await expect(dialog).to_contain_text("Next action")
    await dialog.get_by_label("Keys are on").uncheck()
    await dialog.get_by_role("button", name="Close").click()
    await alice.page.keyboard.press("j")
    await alice.page.keyboard.press("x")

    await expect(alice.page.locator("#batch")).to_be_hidden()
    await expect(alice.page.locator("#detail")).to_contain_text("Nothing is chosen")


async def test_a_filter_narrows_the_list_and_what_arrives(console: Desk, people: People) -> None:
    client = console.tier.client()
    one = await client.submit(high("rm -rf /srv"))
    other = await client.submit(unknown("./a.out"))
    alice = await people.person(console)
    await alice.at_inbox()
    await expect(alice.row(other.id)).to_be_visible()

    await alice.page.get_by_label("Unknown").check()
    await expect(alice.row(one.id)).to_have_count(0)
    await alice.page.wait_for_url("**/?risk=UNKNOWN")
    late = await client.submit(high("rm -rf /opt"))
    fits = await client.submit(unknown("./b.out"))

    await expect(alice.row(fits.id)).to_have_count(1)
    await expect(alice.row(late.id)).to_have_count(0)
    await alice.page.reload()
    await expect(alice.row(fits.id)).to_be_visible()
    await expect(alice.row(late.id)).to_have_count(0)


async def test_many_alike_are_folded_in_a_long_list(console: Desk, people: People) -> None:
    client = console.tier.client()
    ids = [(await client.submit(high(f"sudo halt {number}"))).id for number in range(24)]
    alice = await people.person(console)
    await alice.at_inbox()

    rows = alice.page.locator("#rows > .row:visible")
    await expect(rows).to_have_count(1)
    await alice.page.get_by_role("button", name="Select all 24").click()
    await expect(alice.page.locator("#batch")).to_contain_text("24 selected")
    await alice.page.get_by_role("button", name="Clear").click()
    await alice.page.get_by_role("button", name="Group alike").click()

    await expect(rows).to_have_count(len(ids))


async def test_what_is_folded_comes_when_it_is_asked_for(console: Desk, people: People) -> None:
    asked = await console.tier.client().submit(
        high("echo " + "x" * 60_000 + "\u202eTHE-END" + "y" * 60_000)
    )
    alice = await people.person(console)
    await alice.page.goto(f"/actions/{asked.id}")
    shown = (await alice.sees(asked.id)).locator('pre[data-name="value-0"]')
    await expect(shown).not_to_contain_text("THE-END")

    for _ in range(3):
        await shown.get_by_role("button", name="more characters").first.click()
        await expect(shown.locator(".htmx-request")).to_have_count(0)

    await expect(shown).to_contain_text("U+202ETHE-END")
    await expect(shown.get_by_role("button")).to_have_count(0)


async def test_what_will_run_is_not_exchanged_under_somebodys_eyes(console: Desk, people: People) -> None:
    asked = await parked(console.tier, terms=Terms(approve=2), command="rm -rf /srv/data")
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(asked.id)

    edited = {"command": "rm -rf /srv/cache"}
    await console.tier.approver("bob").edit(asked.id, edited, digest=asked.action.digest)

    await expect(alice.detail).to_contain_text("Somebody has changed this call")
    await expect(alice.detail.locator("[data-do]")).to_have_count(0)
    await alice.page.get_by_role("button", name="Look again").click()
    await expect(alice.detail).to_contain_text("What an approver has changed")
    asked.waiting.cancel()


async def test_on_a_phone_a_row_leads_to_its_own_page(console: Desk, people: People) -> None:
    asked = await console.tier.client().submit(high("rm -rf /srv"))
    alice = await people.person(console, viewport={"width": 390, "height": 844})
    await alice.at_inbox()

    await alice.row(asked.id).locator(".row-open").click()
    await alice.page.wait_for_url(f"**/actions/{asked.id}")
    await alice.sees(asked.id)

    width = "() => document.documentElement.scrollWidth"
    assert await alice.page.evaluate(width) <= 390
