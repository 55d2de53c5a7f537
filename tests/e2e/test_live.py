"""The open inbox: how it is told what changes, and what it says when it can't be."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from consoles import Desk
from e2e.people import People
from guardtier.store.keys import Keys
from guardtier_workers.console.access import watch
from guardtier_workers.console.pages import events
from tier import high, unknown
from waiting import until


async def test_rows_arrive_in_their_order(console: Desk, people: People) -> None:
    alice = await people.person(console)
    await alice.at_inbox()
    agent = console.tier.client()

    ids = [(await agent.submit(make(f"command {n}"))).id for n, make in enumerate([high, unknown, high])]

    await expect(alice.page.locator("#rows .row")).to_have_count(3)
    rows = await alice.page.eval_on_selector_all("#rows .row", "rows => rows.map(row => row.dataset.id)")
    assert rows == [ids[2], ids[0], ids[1]]
    await expect(alice.page).to_have_title("(3) Inbox · guardtier")
    await expect(alice.page.locator('[data-count="HIGH"]')).to_have_text("2")


async def test_a_row_that_was_answered_says_by_whom_and_leaves_once_one_moves_on(
    console: Desk, people: People
) -> None:
    agent = console.tier.client()
    first, second = [await agent.submit(high(f"command {n}")) for n in range(2)]
    alice = await people.person(console)
    await alice.page.clock.install()
    await alice.at_inbox()
    await alice.row(first.id).locator(".row-open").focus()

    await console.tier.approver("bob").reject(first.id, digest=first.digest, reason="no")

    await expect(alice.row(first.id)).to_contain_text("Rejected by bob")
    await expect(alice.row(first.id).locator(".row-pick")).to_be_disabled()
    await alice.page.clock.fast_forward(4_000)  # it lingers for 2 s, and longer for who is at it
    await expect(alice.row(first.id)).to_be_visible()
    await alice.row(second.id).locator(".row-open").focus()
    await expect(alice.row(first.id)).to_have_count(0)


async def test_what_arrives_waits_while_the_list_is_in_use(console: Desk, people: People) -> None:
    agent = console.tier.client()
    first = await agent.submit(high("first"))
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.row(first.id).locator(".row-open").focus()

    new = await agent.submit(high("second"))

    await expect(alice.page.locator("#arrived")).to_have_text("1 new")
    await expect(alice.row(new.id)).to_have_count(0)
    await alice.page.keyboard.press("n")
    await expect(alice.row(new.id).locator(".row-open")).to_be_focused()
    await expect(alice.page.locator("#arrived")).to_be_hidden()


async def test_what_waits_and_is_answered_by_somebody_else_is_not_new_any_more(
    console: Desk, people: People
) -> None:
    agent = console.tier.client()
    first = await agent.submit(high("first"))
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.row(first.id).locator(".row-open").focus()
    new = await agent.submit(high("second"))
    await expect(alice.page.locator("#arrived")).to_have_text("1 new")

    await console.tier.approver("bob").approve(new.id, digest=new.digest)

    await expect(alice.page.locator("#arrived")).to_be_hidden()


async def test_another_filter_has_its_own_rows_arrive(console: Desk, people: People) -> None:
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.page.locator("#filter-text").fill("wanted")
    await expect(alice.page).to_have_url(f"{console.url}?text=wanted")
    agent = console.tier.client()

    await agent.submit(high("other"))
    wanted = await agent.submit(high("wanted"))

    await expect(alice.row(wanted.id)).to_be_visible()
    await expect(alice.page.locator("#rows .row")).to_have_count(1)


async def test_it_says_that_it_is_stale_and_catches_up(console: Desk, people: People) -> None:
    agent = console.tier.client()
    old = await agent.submit(high("old"))
    alice = await people.person(console)
    await alice.page.clock.install()
    await alice.at_inbox()
    live = alice.page.locator("#live")
    await alice.page.evaluate(NOTE_WHAT_IS_SAID_OF, old.id)

    await alice.page.context.set_offline(True)
    await expect(live).to_have_attribute("data-state", "connecting")
    await alice.page.clock.fast_forward(15_000)
    await expect(live).to_have_attribute("data-state", "stale")
    new = await agent.submit(high("new"))
    await console.tier.approver("bob").approve(old.id, digest=old.digest)
    await alice.page.context.set_offline(False)

    await expect(live).to_have_attribute("data-state", "live")
    await expect(alice.row(new.id)).to_be_visible()
    # Who answered is known where the stream goes on from before. It may be gone 2 s later.
    await until(lambda: _was_said(alice.page, re.compile("Not waiting any more|Approved by bob")))
    await alice.page.clock.fast_forward(8_000)
    people.problems = [one for one in people.problems if "ERR_INTERNET_DISCONNECTED" not in one]
    await expect(alice.row(old.id)).to_have_count(0)


NOTE_WHAT_IS_SAID_OF = """
(id) => {
  window.said = [];
  new MutationObserver(() => window.said.push(document.getElementById(`row-${id}`)?.textContent ?? ""))
    .observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}
"""


async def _was_said(page: Page, words: re.Pattern[str]) -> bool:
    """Of the row that the page takes note of."""
    return any(words.search(said) for said in await page.evaluate("window.said"))


async def test_whoever_is_let_go_is_shown_the_door(
    console: Desk, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PING_SECONDS", 0.1)
    monkeypatch.setattr(watch, "ASK_SECONDS", 0.1)
    alice = await people.person(console)
    await alice.at_inbox()

    console.tier.fire("alice")

    await alice.page.wait_for_url("**/login**")


async def test_tabs_that_nobody_looks_at_leave_connections_to_those_that_are_looked_at(
    console: Desk, people: People
) -> None:
    alice = await people.person(console)
    tabs = [await alice.page.context.new_page() for _ in range(4)]
    for tab in tabs:
        await tab.clock.install()
        await tab.goto("/")
        await expect(tab.locator("#live")).to_have_attribute("data-state", "live")

    for tab in tabs:
        await tab.evaluate(SET_HIDDEN, True)
    await tabs[3].clock.fast_forward(15_000)
    await expect(tabs[3].locator("#live")).to_have_attribute("data-state", "stale")
    await tabs[3].evaluate(SET_HIDDEN, False)
    await expect(tabs[3].locator("#live")).to_have_attribute("data-state", "live")
    parked = await console.tier.client().submit(high())

    for tab in tabs:
        await expect(tab.locator(f'#rows [data-id="{parked.id}"]')).to_be_visible()


async def test_a_page_that_was_away_for_long_begins_with_the_first_rows(
    console: Desk, people: People
) -> None:
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.page.context.set_offline(True)
    agent = console.tier.client()

    parked = [await agent.submit(high(f"command-{n}")) for n in range(60)]
    await alice.page.context.set_offline(False)

    await expect(alice.row(parked[-1].id)).to_be_visible()
    await expect(alice.page.locator("#more button")).to_be_visible()
    await expect(alice.page.locator("#rows .row")).to_have_count(50)
    people.problems = [one for one in people.problems if "ERR_INTERNET_DISCONNECTED" not in one]


SET_HIDDEN = """
(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


async def test_a_row_says_that_it_was_given_more_time(console: Desk, people: People) -> None:
    one = await console.tier.client().submit(high())
    alice, keys, redis = await people.person(console), Keys(0), console.tier.redis
    await alice.at_inbox()
    shown = alice.row(one.id).locator("time.row-until")
    before = int(await shown.get_attribute("data-until") or 0)

    await redis.hset(keys.action(one.id), "deadline", before + 900_000)
    await redis.zadd(keys.parked, {one.id: before + 900_000})
    await redis.xadd(keys.audit, {"id": one.id, "event": "extended", "fleet": "web"})

    await expect(shown).to_have_attribute("data-until", str(before + 900_000))


async def test_what_waits_once_more_has_a_row_once_more(console: Desk, people: People) -> None:
    """Redis came back from an older copy; or an edit has brought back what the filter shows."""
    one = await console.tier.client().submit(high())
    alice, keys, redis = await people.person(console), Keys(0), console.tier.redis
    kept = await redis.dump(keys.action(one.id))
    await alice.at_inbox()
    await alice.row(one.id).locator(".row-open").focus()
    await console.tier.approver("bob").approve(one.id)
    await expect(alice.row(one.id)).to_contain_text("Approved by bob")

    await redis.restore(keys.action(one.id), 0, kept, replace=True)
    await redis.zadd(keys.parked, {one.id: 4e12})
    await redis.xadd(keys.audit, {"id": one.id, "event": "parked", "fleet": "web"})

    await expect(alice.row(one.id).locator(".row-pick")).to_be_enabled()
    await expect(alice.row(one.id)).not_to_contain_text("Approved")
