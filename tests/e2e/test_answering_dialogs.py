"""The dialogs of answers: what is sent is what is shown, once, whatever an agent wrote."""

from __future__ import annotations

import asyncio

from playwright.async_api import Request, expect

from consoles import Desk
from e2e.people import People, Person
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from tier import high

SCRIPT = "</textarea></pre><script>alert(1)</script><img src=x onerror=alert(2)>"

#: What a form or a page would change, hide or run.
ODD = {
    "command": f"rm -rf build/x\n{SCRIPT}",
    f"{SCRIPT}\r\n\x00": [SCRIPT, {"hidden": "\u202e\u200b"}],
    "begins": "\n\ta line and a tab\n\n",
    "returns": "a\r\nb",
    "exact": 9007199254740993,
}


async def considering(alice: Person, action_id: str, key: str) -> None:
    """Open an action's own page, and press a key."""
    await alice.page.goto(f"/actions/{action_id}")
    await alice.is_live()
    await alice.page.keyboard.press(key)
    await expect(alice.dialog).to_be_visible()


async def test_an_edit_changes_nothing_but_what_somebody_changed(console: Desk, people: People) -> None:
    action = high(arguments=ODD).placed_in(0)
    agent = console.tier.client(accept_edits=True)
    waiting = asyncio.create_task(agent.check(action, timeout=90))
    await console.tier.parked()
    alice = await people.person(console)
    await considering(alice, action.id, "e")
    changes, confirm = (
        alice.dialog.locator('[data-part="changes"]'),
        alice.dialog.locator('[data-do="confirm"]'),
    )
    command = alice.dialog.get_by_label("command", exact=True)

    await command.press("End")
    await command.type(" ")
    await command.press("Backspace")
    await expect(changes).to_contain_text("Nothing changes")
    await expect(confirm).to_be_disabled()
    await command.fill("ls build/x")
    await expect(changes).to_contain_text("+ ls build/x")
    await confirm.click()

    assert (await waiting).arguments == ODD | {"command": "ls build/x"}


async def test_what_is_like_it_is_released_from_then_on(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high("rm -rf build/a"))
    alice = await people.person(console)
    await considering(alice, parked.id, "l")

    await alice.dialog.get_by_label("the same command").check()
    await alice.dialog.get_by_label("For whom").select_option("fleet")
    await expect(alice.dialog.locator('[data-part="grant"]')).to_contain_text(
        "rm -rf <a path below build/>, by every agent of fleet web"
    )
    await alice.dialog.locator('[data-do="confirm"]').click()

    await expect(alice.outcome("approved").first).to_be_visible()
    released = await console.tier.client().check(high("rm -rf build/b", agent="agent-2"), timeout=90)
    assert released.grant


async def test_however_often_it_is_clicked_it_goes_once(console: Desk, people: People) -> None:
    parked = await console.tier.client().submit(high())
    terms = Terms(approve=2).to_json()
    await console.tier.redis.hset(Keys(0).action(parked.id), "terms", terms)
    alice = await people.person(console)
    await considering(alice, parked.id, "a")
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.url)

    alice.page.on("request", note)
    await alice.dialog.locator('[data-do="confirm"]').evaluate(
        "one => [1, 2, 3].forEach(() => one.click())"
    )

    await expect(alice.outcome("answered").first).to_contain_text("1 of 2 approvals: alice")
    assert len(sent) == 1


async def test_the_dialog_says_what_an_answer_does_now_that_others_have_answered(
    console: Desk, people: People
) -> None:
    parked = await console.tier.client().submit(high())
    terms = Terms(approve=2).to_json()
    await console.tier.redis.hset(Keys(0).action(parked.id), "terms", terms)
    alice = await people.person(console)
    await considering(alice, parked.id, "a")
    await expect(alice.dialog).to_contain_text("it goes on waiting for 1 more")

    await console.tier.approver("bob").approve(parked.id)

    await expect(alice.dialog).to_contain_text("2nd of 2 approvals and decides")
    await expect(alice.conflict).to_contain_text("Somebody has answered it meanwhile")
    await alice.dialog.locator('[data-do="confirm"]').click()
    await expect(alice.outcome("approved").first).to_be_visible()


async def test_enter_does_not_answer_what_is_selected_for_what_is_shown(
    console: Desk, people: People
) -> None:
    """Somebody ticked one long ago, and reads another: A, Enter is meant for that one."""
    agent = console.tier.client()
    ticked, read = [await agent.submit(high(f"rm -rf /srv/{one}")) for one in ("ticked", "read")]
    alice = await people.person(console)
    await alice.at_inbox()
    await alice.row(ticked.id).locator(".row-pick").check()
    await alice.opens(read.id)

    await alice.page.keyboard.press("a")
    await expect(alice.batch).to_contain_text(
        "The action that is shown beside the list is not among these."
    )
    await alice.page.keyboard.press("Enter")
    await expect(alice.batch.locator('[data-part="items"]')).to_be_focused()
    await alice.page.keyboard.press("Control+Enter")

    await expect(alice.outcome("approved").first).to_have_attribute("data-id", ticked.id)
    assert (await console.tier.record(read.id)).verdict is None


async def test_of_many_what_was_answered_or_changed_meanwhile_is_left_out(
    console: Desk, people: People
) -> None:
    agent = console.tier.client()
    ended, counted, same = [await agent.submit(high(f"rm {name}")) for name in ("one", "two", "three")]
    alice = await people.person(console)
    await console.tier.redis.hset(Keys(0).action(counted.id), "terms", Terms(approve=2).to_json())
    await console.tier.redis.xadd(Keys(0).audit, {"id": counted.id, "event": "extended", "fleet": "web"})
    await alice.at_inbox()
    await expect(alice.row(counted.id)).to_contain_text("0 of 2")
    for one in (ended, counted, same):
        await alice.row(one.id).locator(".row-pick").check()
    await alice.page.keyboard.press("a")
    await expect(alice.batch.locator(".batch-item")).to_have_count(3)

    await console.tier.approver("bob").reject(ended.id, reason="no")
    await console.tier.approver("bob").approve(counted.id)

    items = {one.id: alice.batch.locator(f'[data-id="{one.id}"]') for one in (ended, counted)}
    await expect(items[ended.id]).to_contain_text("Left out: bob was quicker: it is rejected.")
    await expect(items[counted.id]).to_contain_text("Left out: It has changed")
    await alice.batch.get_by_role("button", name="Approve 1 action").click()
    await expect(alice.batch.locator('[data-outcome="approved"]')).to_have_attribute("data-id", same.id)
