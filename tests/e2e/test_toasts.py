"""What is said for a moment covers nothing that one needs: neither the answers nor what came of one."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from consoles import Desk
from e2e.people import People
from tier import high


@pytest.mark.parametrize("width", [1280, 390])
async def test_what_came_of_an_answer_is_not_covered(console: Desk, people: People, width: int) -> None:
    parked = await console.tier.client().submit(high())
    alice = await people.person(console, viewport={"width": width, "height": 844})
    await alice.at_inbox()
    await alice.opens(parked.id)

    await alice.answers("reject", reason="Those are the keys of production, ask olga")

    toast = alice.page.locator("#toasts .toast").first
    outcome = alice.page.locator("p.outcome")
    await expect(toast).to_be_visible()
    await expect(outcome).to_be_visible()
    assert not await _overlap(toast, outcome)


async def test_what_is_said_of_one_action_does_not_stand_before_the_next(
    console: Desk, people: People
) -> None:
    ids = [(await console.tier.client().submit(high(f"rm -rf /srv/{one}"))).id for one in range(3)]
    alice = await people.person(console)
    await alice.at_inbox()
    toasts = alice.page.locator("#toasts .toast")
    await alice.opens(ids[2])

    await alice.answers("approve")
    await expect(toasts).to_have_text("Approved by alice.")
    await alice.page.keyboard.press("j")
    await alice.sees(ids[1])
    await expect(toasts).to_have_count(0)


async def _overlap(one: Locator, other: Locator) -> bool:
    a, b = await one.bounding_box(), await other.bounding_box()
    assert a is not None
    assert b is not None
    return a["y"] < b["y"] + b["height"] and b["y"] < a["y"] + a["height"]
