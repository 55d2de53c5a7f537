"""Grants and policies in a browser: what the buttons do, and what the page says of it."""

from __future__ import annotations

from playwright.async_api import Page, expect

from consoles import Desk, StartConsole
from e2e.people import People
from guardtier.policy.confirmation import AlwaysConfirm
from guardtier.store.keys import Keys
from guardtier_workers.cli.state import OPERATES
from remembered import remembered
from tier import StartTier, high

DRAFT = """\
version = 1

[[rule]]
name = "no-refunds"
outcome = "reject"
tool = "refund"
reason = "Ask <b>finance</b>.\u202e"

[[test]]
name = "a refund is refused"
action = { fleet = "web", tool_name = "refund" }
expect = "reject"
"""


async def checked(page: Page, text: str) -> None:
    await page.locator("#policy-text").fill(text)
    await page.get_by_role("button", name="Check it").click()
    await expect(page.locator("#policy-check h3").first).to_be_visible()


async def test_a_grant_is_revoked(console: Desk, people: People) -> None:
    grant = await remembered(console.tier)
    alice = await people.person(console)
    await alice.page.goto("/grants")
    row = alice.page.locator(f"#grant-{grant}")

    await row.get_by_role("button", name="Revoke").click()
    await alice.page.locator("#revoke-dialog").get_by_role("button", name="Revoke").click()

    await expect(row).to_contain_text("releases nothing from now on")
    assert await console.tier.approver("giver", ["*"]).grants("web") == []


async def test_a_file_is_checked_and_then_set(console: Desk, people: People) -> None:
    olga = await people.person(console, "olga", may=OPERATES)
    await olga.page.goto("/policy")
    found, set_it = olga.page.locator("#policy-check"), olga.page.get_by_role("button", name="Set it…")
    await expect(set_it).to_be_disabled()

    await checked(olga.page, DRAFT)
    await expect(found).to_contain_text("1 of 1 tests pass")
    await expect(found).to_contain_text("rules added: no-refunds")
    await expect(found).to_contain_text('+reason = "Ask <b>finance</b>.U+202E"')
    await expect(olga.page.locator("#policy-hidden")).to_contain_text("U+202E in line 7")
    await set_it.click()
    await olga.page.locator("#policy-dialog").get_by_role("button", name="Set it").click()

    await expect(olga.page.locator("#file-stands")).to_contain_text("file@1, set at run time by olga")
    verdict = await console.tier.client().check(high(tool_name="refund"))
    assert verdict.reason.startswith("Ask <b>finance</b>.")


async def test_a_file_that_stands_in_some_partitions_is_set_in_all(
    start_tier: StartTier, start_console: StartConsole, people: People
) -> None:
    console = await start_console(await start_tier(partitions=2))
    olga = await people.person(console, "olga", may=OPERATES)
    assert await console.tier.operator("olga").set_policy_file(DRAFT)
    await console.tier.redis.hdel(Keys(1).policies, "*")
    await olga.page.goto("/policy")
    await expect(olga.page.locator("#file-stands")).to_contain_text("set or reset it once more")

    await olga.page.get_by_role("button", name="Check it").click()
    await olga.page.get_by_role("button", name="Set it…").click()
    await olga.page.locator("#policy-dialog").get_by_role("button", name="Set it").click()

    await expect(olga.page.locator("#file-stands")).to_contain_text("file@1, set at run time by olga")


async def test_what_is_wrong_is_gone_to(console: Desk, people: People) -> None:
    olga = await people.person(console, "olga", may=OPERATES)
    await olga.page.goto("/policy")

    await checked(olga.page, DRAFT.replace('tool = "refund"', 'toool = "refund"', 1))
    await expect(olga.page.locator("#policy-check")).to_contain_text("did you mean 'tool'?")
    await olga.page.get_by_role("button", name="Go to line 6").click()

    chosen = "() => { const t = document.getElementById('policy-text'); "
    chosen += "return t.value.slice(t.selectionStart, t.selectionEnd); }"
    assert await olga.page.evaluate(chosen) == 'toool = "refund"'
    await expect(olga.page.get_by_role("button", name="Set it…")).to_be_disabled()


async def test_a_file_that_somebody_else_set_meanwhile_is_not_overwritten(
    console: Desk, people: People
) -> None:
    olga = await people.person(console, "olga", may=OPERATES)
    await olga.page.goto("/policy")
    await checked(olga.page, DRAFT)
    await console.tier.operator("omar").set_policy_file("version = 1\n")

    await olga.page.get_by_role("button", name="Set it…").click()
    dialog = olga.page.locator("#policy-dialog")
    await dialog.get_by_role("button", name="Set it").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("omar has set file@1")
    await dialog.get_by_role("button", name="Cancel").click()

    await expect(olga.page.locator("#policy-text")).to_have_value(DRAFT)
    await expect(olga.page.get_by_role("button", name="Set it…")).to_be_disabled()
    assert (await console.tier.operator("omar").policy_file())[0].standing.by == "omar"  # type: ignore[union-attr]


async def test_a_fleets_policy_that_somebody_else_set_meanwhile_is_shown_first(
    console: Desk, people: People
) -> None:
    olga, omar = await people.person(console, "olga", may=OPERATES), console.tier.operator("omar")
    await olga.page.goto("/policy")
    await olga.page.get_by_role("button", name="Change the policy of web").click()
    await omar.set_policy("web", AlwaysConfirm())
    dialog, row = olga.page.locator("#fleet-dialog"), olga.page.locator("#policy-of-web")

    await olga.page.get_by_label("nothing waits").check()
    await dialog.get_by_role("button", name="Set", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("omar has set always_confirm@1")
    await expect(dialog.get_by_role("alert")).to_contain_text("Now: every action waits")
    await expect(row).to_contain_text("always_confirm@1")
    await dialog.get_by_role("button", name="Set", exact=True).click()

    await expect(row).to_contain_text("never_confirm@2")


async def test_a_fleets_policy_is_changed_by_keys_alone(console: Desk, people: People) -> None:
    olga = await people.person(console, "olga", may=OPERATES)
    await olga.page.goto("/policy")

    await olga.page.get_by_role("button", name="Change the policy of web").focus()
    await olga.page.keyboard.press("Enter")
    await olga.page.get_by_label("every action waits").focus()
    await olga.page.keyboard.press("Space")
    await olga.page.get_by_role("button", name="Set", exact=True).focus()
    await olga.page.keyboard.press("Enter")

    row = olga.page.locator("#policy-of-web")
    await expect(row).to_contain_text("every action waits always_confirm@1")
    await expect(row).to_contain_text("set at run time by olga")
    assert (await console.tier.client().submit(high("ls"))).id
