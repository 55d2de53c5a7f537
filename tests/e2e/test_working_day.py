"""A day of answering: nothing that somebody was at, or has written, is lost on the way."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from consoles import Desk
from e2e.people import People, Person
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from tier import high

LONG = 24  #: rows from which on alike ones are folded


async def alike(console: Desk, number: int = LONG) -> list[str]:
    """Actions that are alike, the newest last: in a list of 20 rows or more they are folded."""
    agent = console.tier.client()
    return [(await agent.submit(high(f"sudo halt {one}"))).id for one in range(number)]


async def chosen(alice: Person) -> set[str]:
    ticked = alice.page.locator("#rows .row-pick:checked")
    return set(await ticked.evaluate_all("all => all.map(one => one.closest('.row').dataset.id)"))


async def test_what_has_ended_is_not_selected_with_what_is_like_it(console: Desk, people: People) -> None:
    ids = await alike(console)
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(ids[-1])

    await console.tier.approver("bob").reject(ids[-1], reason="no")
    await alice.page.get_by_role("button", name=f"Select all {LONG - 1}").click()

    await expect(alice.page.locator("#batch-count")).to_have_text(str(LONG - 1))
    assert await chosen(alice) == set(ids[:-1])
    await expect(alice.row(ids[-2]).locator(".row-open")).to_be_focused()


async def test_the_next_of_those_that_are_alike_follows_the_one_that_was_answered(
    console: Desk, people: People
) -> None:
    ids = await alike(console)
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.page.keyboard.press("j")

    for one in reversed(ids[-3:]):
        await alice.sees(one)
        await alice.page.keyboard.press("a")
        await expect(alice.dialog).to_be_visible()
        await alice.page.keyboard.press("Enter")
        await expect(alice.outcome("approved").first).to_be_visible()
        await expect(alice.row(one)).to_contain_text("Approved by alice")
        await alice.page.keyboard.press("j")

    await alice.sees(ids[-4])


async def test_what_came_into_a_group_since_is_selected_with_it(console: Desk, people: People) -> None:
    ids = await alike(console)
    alice = await people.person(console)
    await alice.page.clock.install()
    await alice.at_inbox()
    await expect(alice.page.get_by_role("button", name=f"Select all {LONG}")).to_be_visible()

    await console.tier.approver("bob").reject(ids[0], reason="no")
    await expect(alice.page.get_by_role("button", name=f"Select all {LONG - 1}")).to_be_visible()
    await alice.page.clock.fast_forward(4_000)
    await expect(alice.row(ids[0])).to_have_count(0)
    new = (await console.tier.client().submit(high("sudo halt new"))).id
    await expect(alice.row(new)).to_have_count(1)
    await alice.page.get_by_role("button", name=f"Select all {LONG}").click()

    assert await chosen(alice) == {*ids[1:], new}


async def test_all_shown_are_those_that_are_shown(console: Desk, people: People) -> None:
    """Nobody selects by one tick what is folded away."""
    ids = await alike(console)
    other = (await console.tier.client().submit(high("rm -rf /srv"))).id
    alice = await people.person(console)
    await alice.at_inbox()

    await alice.page.get_by_label("Select all shown").check()

    assert await chosen(alice) == {ids[-1], other}
    await expect(alice.page.get_by_label("Select all shown")).to_be_checked()


async def test_a_range_has_what_is_shown_in_it(console: Desk, people: People) -> None:
    first = (await console.tier.client().submit(high("rm -rf /srv/first"))).id
    ids = await alike(console)
    last = (await console.tier.client().submit(high("rm -rf /srv/last"))).id
    alice = await people.person(console)
    await alice.at_inbox()

    await alice.row(last).locator(".row-pick").click()
    await alice.row(first).locator(".row-pick").click(modifiers=["Shift"])

    assert await chosen(alice) == {first, ids[-1], last}


async def test_a_reason_that_was_not_sent_is_there_again(console: Desk, people: People) -> None:
    """Also where the session has ended meanwhile; what was sent is not."""
    one = await console.tier.client().submit(high("rm first"))
    other = await console.tier.client().submit(high("rm other"))
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(one.id)
    reason = alice.dialog.locator('[name="reason"]')

    await alice.page.keyboard.press("r")
    await alice.page.keyboard.type("it is needed until Friday")
    await alice.page.keyboard.press("Escape")
    await alice.opens(other.id)
    await alice.page.keyboard.press("r")
    await expect(reason).to_have_value("")
    await alice.page.keyboard.press("Escape")
    await alice.page.context.clear_cookies()
    await alice.sign_in_by_the_form()
    await alice.is_live()
    await alice.opens(one.id)
    await alice.page.keyboard.press("r")
    await expect(reason).to_have_value("it is needed until Friday")
    await alice.page.keyboard.press("Control+Enter")

    await expect(alice.outcome("rejected").first).to_be_visible()
    verdict = (await console.tier.record(one.id)).verdict
    assert verdict is not None
    assert verdict.reason == "it is needed until Friday"
    assert await alice.page.evaluate(DRAFTS) == 0


async def test_whoever_signs_out_leaves_no_words_behind(console: Desk, people: People) -> None:
    one = await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(one.id)
    await alice.page.keyboard.press("r")
    await alice.page.keyboard.type("mine alone")
    await alice.page.keyboard.press("Escape")
    assert await alice.page.evaluate(DRAFTS) == 1

    await alice.page.get_by_role("button", name="Sign out").click()
    await alice.page.wait_for_url("**/login**")

    assert await alice.page.evaluate(DRAFTS) == 0


DRAFTS = "Object.keys(sessionStorage).filter((key) => key.includes('draft')).length"


async def test_whoever_comes_back_is_where_they_were(console: Desk, people: People) -> None:
    ids = [(await console.tier.client().submit(high(f"rm -rf /srv/{one}"))).id for one in range(5)]
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(ids[1])

    for leave in (alice.page.reload(), alice.page.goto("/history")):
        await leave
        if alice.page.url.endswith("/history"):
            await alice.page.go_back()
        await alice.sees(ids[1])
        await alice.page.keyboard.press("j")
        await alice.sees(ids[0])
        await alice.page.keyboard.press("k")
        await alice.sees(ids[1])


async def test_what_enter_opens_keeps_the_focus_when_the_list_is_drawn_anew(
    console: Desk, people: People
) -> None:
    wanted = await console.tier.client().submit(high("rm -rf /srv/wanted"))
    await console.tier.client().submit(high("rm -rf /srv/newer"))
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.page.keyboard.press("/")
    await alice.page.keyboard.type("wanted")
    await expect(alice.page.locator("#rows .row")).to_have_count(1)

    async with alice.page.expect_response("**/rows?**"):  # the field has changed, which draws the list
        await alice.page.keyboard.press("Enter")
    await alice.sees(wanted.id)

    await expect(alice.page.locator("#rows .htmx-added, #list.htmx-settling")).to_have_count(0)
    await expect(alice.row(wanted.id).locator(".row-open")).to_be_focused()


async def test_a_row_says_who_has_approved_it(console: Desk, people: People) -> None:
    one = await console.tier.client().submit(high())
    await console.tier.redis.hset(Keys(0).action(one.id), "terms", Terms(approve=2).to_json())
    alice = await people.person(console)
    await alice.at_inbox()

    await console.tier.approver("bob").approve(one.id)

    await expect(alice.row(one.id)).to_contain_text("1 of 2")
    await expect(alice.row(one.id)).to_contain_text("bob approved.")


@pytest.mark.parametrize(("width", "height"), [(320, 256), (667, 375)])
async def test_in_a_low_window_nothing_stands_before_what_would_run(
    console: Desk, people: People, width: int, height: int
) -> None:
    """320 × 256 is what 1280 × 1024 are at 400 %."""
    one = await console.tier.client().submit(high("rm -rf /srv\n" * 40))
    alice = await people.person(console, viewport={"width": width, "height": height})
    await alice.page.goto(f"/actions/{one.id}")
    await alice.is_live()
    runs = (await alice.sees(one.id)).locator("dl.values pre").first

    await runs.evaluate("pre => scrollTo(0, pre.getBoundingClientRect().top + scrollY)")

    assert await runs.evaluate(COVERED) == 0


#: How many of the window's rows of pixels have something else in front of it.
COVERED = """(pre) => {
  const {left, width} = pre.getBoundingClientRect();
  const covered = (y) => !pre.contains(document.elementFromPoint(left + width / 2, y));
  return [...Array(innerHeight - 10).keys()].filter((y) => y > 10 && covered(y)).length;
}"""


async def test_on_a_phone_one_comes_back_to_the_list_that_one_came_from(
    console: Desk, people: People
) -> None:
    wanted = await console.tier.client().submit(high("rm -rf /srv/wanted"))
    other = await console.tier.client().submit(high("rm -rf /srv/other"))
    alice = await people.person(console, viewport={"width": 360, "height": 740})
    await alice.at_inbox()
    await alice.page.locator("#filter-text").fill("wanted")
    await expect(alice.row(other.id)).to_have_count(0)
    await alice.opens(wanted.id)
    await expect(alice.page.get_by_role("link", name="Next →")).to_be_hidden()

    await alice.page.get_by_role("link", name="← Inbox").click()

    await expect(alice.page.locator("#filter-text")).to_have_value("wanted")
    await expect(alice.row(wanted.id)).to_be_visible()
    await expect(alice.row(other.id)).to_have_count(0)


async def test_on_a_phone_one_action_leads_to_the_next(console: Desk, people: People) -> None:
    ids = [(await console.tier.client().submit(high(f"rm -rf /srv/{one}"))).id for one in range(3)]
    alice = await people.person(console, viewport={"width": 360, "height": 740})
    await alice.at_inbox()
    await alice.opens(ids[2])
    onward = alice.page.get_by_role("link", name="Next →")

    for one in (ids[2], ids[1]):
        await alice.sees(one)
        await alice.answers("reject", reason="no")
        await expect(alice.outcome("rejected").first).to_be_visible()
        await onward.click()

    await alice.sees(ids[0])
    await expect(onward).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
async def test_a_row_says_who_asks_however_narrow(console: Desk, people: People, width: int) -> None:
    tool = "mcp__a_server__and_a_tool_that_has_a_long_name"
    one = await console.tier.client().submit(high(agent="bot-7", tool_name=tool))
    await console.tier.redis.hset(Keys(0).action(one.id), "terms", Terms(approve=2).to_json())
    await console.tier.approver("bob").approve(one.id)
    alice = await people.person(console, viewport={"width": width, "height": 740})
    await alice.at_inbox()

    who = alice.row(one.id).locator(".row-who")

    await expect(who).to_have_text("web / bot-7")
    assert await who.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
