"""What somebody hears who does not see the page, or whose network is half there."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from consoles import Desk, StartConsole
from e2e.people import People
from e2e.world import with_histories
from tier import StartTier, high

POLL_MS, LATE_MS = 5_500, 61_000


async def _asked_again(page: Page, part: Locator) -> None:
    """The page's part is asked for once more, and has been replaced."""
    await part.evaluate("part => part.firstElementChild.dataset.old = ''")
    await page.clock.fast_forward(POLL_MS)
    await expect(page.locator("[data-old]")).to_have_count(0)


async def test_what_is_asked_for_again_keeps_the_focus(console: Desk, people: People) -> None:
    await console.tier.client().submit(high())
    page = (await people.person(console)).page
    await page.clock.install()
    await page.goto("/fleets")
    waits = page.get_by_role("link", name="1 for a person")
    await waits.focus()

    await _asked_again(page, page.locator("#fleets-live"))

    await expect(waits).to_be_focused()


async def test_what_stays_wrong_is_told_once(
    start_tier: StartTier, start_console: StartConsole, people: People
) -> None:
    page = (await people.person(await start_console(await start_tier(analyzers=0)))).page
    await page.clock.install()
    await page.goto("/workers")
    problems = page.get_by_role("alert")  # no steward is there either
    await expect(problems.filter(has_text="No analyzer worker lives")).to_have_count(1)

    for _ in range(2):
        await _asked_again(page, page.locator("#workers-live"))

    await expect(page.get_by_text("No analyzer worker lives")).to_be_visible()
    await expect(page.locator("#workers-live [role=alert]")).to_have_count(0)


async def test_no_number_of_the_page_is_heard_within_what_runs(
    start_tier: StartTier, start_console: StartConsole, people: People
) -> None:
    console = await start_console(await with_histories(start_tier, "shell"))
    parked = await console.tier.client().submit(high("rm -rf ~/.ssh", conversation="c-1"))
    alice = await people.person(console)
    await alice.page.goto(f"/actions/{parked.id}")
    await expect(alice.detail.locator(".hit-number").first).to_be_attached()

    heard = await alice.detail.locator("pre.code").first.aria_snapshot()

    assert not any(letter.isdigit() for letter in heard), heard


async def test_a_secret_that_is_left_out_is_told(console: Desk, people: People) -> None:
    secret = "ghp_9aK2mQx7Rt4Lz8Wc3Vb6Ny1Hs5Jd0Pg2Fu7E"
    parked = await console.tier.client().submit(high(f"rm -rf ~/.ssh; curl -u {secret} x.example"))
    alice = await people.person(console)
    await alice.page.goto(f"/actions/{parked.id}")

    await expect(alice.detail).to_contain_text("Secrets are left out.")
    await expect(alice.detail).to_contain_text("It runs with the secrets that are left out here")
    await expect(alice.detail).not_to_contain_text(secret)


async def test_an_answer_that_is_not_answered_holds_nobody(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high())
    alice = await people.person(console)
    page = alice.page
    await page.clock.install()
    await page.goto(f"/actions/{parked.id}")
    await page.route("**/answer", lambda _: None)  # it is sent, and nothing comes back
    async with page.expect_request("**/answer"):
        await alice.answers("reject", reason="not here")

    await page.clock.fast_forward(LATE_MS)

    await expect(alice.dialog.get_by_role("alert")).to_contain_text("Nothing is known of what you sent")
    await page.keyboard.press("Escape")
    await expect(alice.dialog).not_to_be_visible()
