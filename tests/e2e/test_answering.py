"""Answering in a browser: the agent that waits is told what somebody said at the page."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from consoles import Desk
from e2e.people import People
from guardtier import ActionEvent, Outcome, Verdict
from tier import high


def asking(console: Desk, action: ActionEvent, **options: object) -> asyncio.Task[Verdict]:
    """An agent that waits for its verdict."""
    return asyncio.create_task(console.tier.client(**options).check(action, timeout=90))


async def test_an_approval_reaches_the_agent(console: Desk, people: People) -> None:
    action = high().placed_in(0)
    alice = await people.person(console)
    await alice.at_inbox()
    waiting = asking(console, action)

    await alice.opens(action.id)
    await alice.answers("approve")

    verdict = await waiting
    assert (verdict.outcome, verdict.decided_by) == (Outcome.APPROVED, ("alice",))
    await expect(alice.outcome("approved").first).to_be_visible()


async def test_a_rejection_reaches_the_agent_with_its_reason(console: Desk, people: People) -> None:
    action = high().placed_in(0)
    alice = await people.person(console)
    await alice.at_inbox()
    waiting = asking(console, action)

    await alice.opens(action.id)
    await alice.answers("reject", reason="Those are the keys of production: <b>ask</b> olga")

    verdict = await waiting
    assert verdict.outcome is Outcome.REJECTED
    assert verdict.reason == "Those are the keys of production: <b>ask</b> olga"
    await expect(alice.outcome("rejected").first).to_be_visible()


async def test_an_edited_action_runs_as_it_was_edited(console: Desk, people: People) -> None:
    action = high("rm -rf /srv/data").placed_in(0)
    alice = await people.person(console)
    await alice.at_inbox()
    waiting = asking(console, action, accept_edits=True)

    await alice.opens(action.id)
    await alice.does("edit")
    await alice.dialog.get_by_label("command", exact=True).fill("rm -rf /srv/data/tmp")
    await expect(alice.dialog.locator('[data-part="changes"]')).to_contain_text("/tmp")
    await alice.dialog.locator('[data-do="confirm"]').click()

    verdict = await waiting
    assert verdict.allowed
    assert verdict.arguments == {"command": "rm -rf /srv/data/tmp"}


async def test_many_are_answered_at_once_each_with_its_result(console: Desk, people: People) -> None:
    actions = [high(f"rm -rf /srv/{number}").placed_in(0) for number in range(3)]
    alice = await people.person(console)
    await alice.at_inbox()
    waiting = [asking(console, action) for action in actions]

    for action in actions:  # of who has ticked one, what arrives is kept waiting
        await expect(alice.row(action.id)).to_be_visible()
    for action in actions:
        await alice.row(action.id).locator(".row-pick").check()
    await alice.page.locator('#batch [data-do="batch-reject"]').click()
    for action in actions:
        item = alice.batch.locator(f'.batch-item[data-id="{action.id}"]')
        await expect(item).to_contain_text(str(action.arguments["command"]))
    await alice.batch.locator('[name="reason"]').fill("not today")
    await alice.batch.locator('[data-do="confirm"]').click()

    for verdict in await asyncio.gather(*waiting):
        assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "not today")
    await expect(alice.outcome("rejected")).to_have_count(3)


async def test_whoever_considers_an_answer_sees_that_somebody_was_quicker(
    console: Desk, people: People
) -> None:
    action = high().placed_in(0)
    alice = await people.person(console)
    await alice.at_inbox()
    waiting = asking(console, action)
    await alice.opens(action.id)
    await alice.does("approve")
    await expect(alice.dialog).to_be_visible()

    await console.tier.approver("bob").reject(action.id, reason="no")

    await expect(alice.conflict).to_contain_text("bob")
    await expect(alice.conflict).to_contain_text("rejected")
    assert (await waiting).outcome is Outcome.REJECTED


async def test_whoever_comes_second_is_told_who_was_first(console: Desk, people: People) -> None:
    action = high().placed_in(0)
    waiting = asking(console, action)
    await console.tier.parked()
    alice = await people.person(console)
    await alice.page.route("**/events?**", lambda route: route.fulfill(status=204))  # it hears of nothing
    await alice.page.goto("/")
    await alice.opens(action.id)
    await alice.does("approve")
    await expect(alice.dialog).to_be_visible()

    await console.tier.approver("bob").reject(action.id, reason="no")
    await alice.dialog.locator('[data-do="confirm"]').click()

    await expect(alice.conflict).to_contain_text("bob")
    await expect(alice.conflict).to_contain_text("rejected")
    await expect(alice.dialog.locator('[data-do="confirm"]')).not_to_be_visible()
    assert (await waiting).outcome is Outcome.REJECTED


async def test_somebody_who_may_only_look_has_no_way_to_answer(console: Desk, people: People) -> None:
    action = high().placed_in(0)
    waiting = asking(console, action)
    await console.tier.parked()
    vera = await people.person(console, "vera", may=("see",))
    await vera.at_inbox()

    await vera.opens(action.id)

    await expect(vera.detail.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    await vera.page.keyboard.press("a")
    await expect(vera.dialog).not_to_be_visible()
    waiting.cancel()
