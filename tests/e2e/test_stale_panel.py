"""What stands in the panel and in the dialogs is what Redis has, in whatever order answers come in."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from consoles import Desk
from e2e.people import People
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from tier import high
from waiting import until


class Held:
    """Holds back the first answer to a request until it is let go; later ones go through."""

    def __init__(self) -> None:
        self.has_come, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, route: Route) -> None:
        if self.has_come.is_set():
            await route.continue_()
            return
        answer = await route.fetch()
        self.has_come.set()
        await self.go.wait()
        await route.fulfill(response=answer)


async def test_a_panel_that_comes_after_the_end_does_not_say_that_it_waits(
    console: Desk, people: People
) -> None:
    one = await console.tier.client().submit(high())
    alice, held = await people.person(console), Held()
    await alice.page.route("**/panel", held)
    await alice.at_inbox()
    await alice.row(one.id).locator(".row-open").click()
    await until(held.has_come.is_set)

    await console.tier.approver("bob").approve(one.id)
    await expect(alice.row(one.id)).to_contain_text("Approved by bob")
    held.go.set()

    await expect(alice.detail).to_have_attribute("data-state", "approved")


async def test_a_panel_is_brought_up_to_date_while_the_list_shows_something_else(
    console: Desk, people: People
) -> None:
    one = await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(one.id)
    await alice.page.locator("#filter-text").fill("nothing has this")
    await expect(alice.row(one.id)).to_have_count(0)
    await alice.page.keyboard.press("Escape")
    await alice.does("approve")
    await expect(alice.dialog).to_be_visible()

    await console.tier.approver("bob").reject(one.id, reason="no")

    # Who answered is known where the page is told of it before the list has left the old filter.
    await expect(alice.conflict).to_contain_text(re.compile("does not wait any more|bob was quicker"))
    await alice.page.keyboard.press("Escape")
    await expect(alice.detail).to_have_attribute("data-state", "rejected")


async def test_nobody_is_told_that_it_ended_since_others_speak_of_it(console: Desk, people: People) -> None:
    agent = console.tier.client()
    one = await agent.submit(high())
    await asyncio.gather(*(agent.submit(high(f"echo {one.id} {number}")) for number in range(60)))
    alice = await people.person(console)
    await alice.page.goto(f"/actions/{one.id}")
    await alice.is_live()
    await alice.does("approve")

    async with alice.page.expect_response("**/events/rows?*"):
        await alice.page.evaluate("document.dispatchEvent(new CustomEvent('live:look'))")
    await alice.is_live()
    await alice.dialog.locator('[data-do="confirm"]').click()

    await expect(alice.outcome("approved").first).to_be_visible()


async def test_a_preview_that_comes_late_is_none_of_another_dialogs(console: Desk, people: People) -> None:
    agent = console.tier.client()
    first, second = await agent.submit(high("rm first")), await agent.submit(high("rm second"))
    alice, held = await people.person(console), Held()
    await alice.page.route("**/answering/batch?*", held)
    await alice.at_inbox()
    await alice.row(first.id).locator(".row-pick").check()
    await alice.page.locator('[data-do="batch-approve"]').click()
    await until(held.has_come.is_set)
    await alice.page.keyboard.press("Escape")
    await alice.row(first.id).locator(".row-pick").uncheck()
    await alice.row(second.id).locator(".row-pick").check()
    await alice.page.locator('[data-do="batch-reject"]').click()
    await expect(alice.batch.locator(".batch-item")).to_contain_text("rm second")

    async with alice.page.expect_event("requestfinished", lambda one: "choice=approve" in one.url):
        held.go.set()
    await alice.batch.locator('[name="reason"]').fill("no")
    await alice.batch.locator('[data-do="confirm"]').click()

    await expect(alice.outcome("rejected")).to_have_attribute("data-id", second.id)


@pytest.mark.parametrize("status", [404])
async def test_where_it_can_not_be_shown_nobody_is_said_to_have_changed_it(
    console: Desk, people: People, status: int
) -> None:
    one = await console.tier.client().submit(high())
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.opens(one.id)
    await alice.page.route("**/panel", lambda route: route.fulfill(status=status, body="<p>away</p>"))

    await console.tier.approver("bob").approve(one.id)

    await expect(alice.detail).to_contain_text(f"answered {status}")
    await expect(alice.detail).not_to_contain_text("changed this call")


async def test_an_edit_that_leaves_the_filter_is_said_to_be_one(console: Desk, people: People) -> None:
    one = await console.tier.client(accept_edits=True).submit(high("rm -rf a"))
    await console.tier.redis.hset(Keys(0).action(one.id), "terms", Terms(approve=2).to_json())
    alice = await people.person(console)
    await alice.page.goto("/?text=rm+-rf")
    await alice.is_live()
    await alice.opens(one.id)
    await alice.does("approve")
    await expect(alice.dialog).to_be_visible()

    await console.tier.approver("bob").edit(one.id, {"command": "ls a"})

    await expect(alice.conflict).to_contain_text("changed what it would run")
    await expect(alice.dialog.locator('[data-do="confirm"]')).not_to_be_visible()


async def test_what_was_answered_can_not_be_answered_again_before_the_panel_says_so(
    console: Desk, people: People
) -> None:
    one = await console.tier.client().submit(high())
    alice, held = await people.person(console), Held()
    await alice.at_inbox()
    await alice.opens(one.id)
    await alice.page.route("**/panel", held)

    await alice.answers("approve")
    await until(held.has_come.is_set)
    await alice.page.keyboard.press("r")
    await expect(alice.dialog).not_to_be_visible()
    await expect(alice.detail.locator('[data-do="reject"]')).not_to_be_focused()
    held.go.set()

    await expect(alice.outcome("approved").first).to_be_focused()
