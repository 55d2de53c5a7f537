"""Parts of pages: the form of an edit, which says exactly what runs, and the preview of many answers."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import orjson
import pytest

from consoles import Desk
from editing import Parked, parked
from guardtier.policy.terms import Terms
from guardtier_workers.approvers import Right
from guardtier_workers.console.answering.editable import fields_of, shown_json

ODD = [
    "plain",
    "two\nlines\n",
    "\nbegins with a line",
    "a tab\there",
    "a\r\nb",
    "nul\x00",
    "bidi \u202e override",
    "zero\u200bwidth",
    "tags \U000e0041",
    "é and 漢",
    "</textarea><script>alert(1)</script>",
    "",
]


@pytest.mark.parametrize("text", ODD)
def test_a_field_that_is_sent_as_it_is_says_the_same(text: str) -> None:
    (field,) = fields_of({text: text})

    value = orjson.dumps(field.text).decode() if field.kind == "text" else field.text
    assert orjson.loads(f"{{{field.name}: {value}}}") == {text: text}
    assert "\r" not in field.text
    assert "\u202e" not in field.text


@pytest.mark.parametrize("value", [9007199254740993, 1.0, True, None, ["a\u202e", {"b": 1}], 1e300])
def test_what_is_no_text_is_json_and_exact(value: Any) -> None:
    (field,) = fields_of({"n": value})

    assert field.kind == "json"
    assert repr(orjson.loads(field.text)) == repr(value)


def test_of_too_many_arguments_all_are_one_text() -> None:
    many = {f"a{number}": number for number in range(41)}

    assert fields_of(many) == []
    assert orjson.loads(shown_json(many)) == many


async def test_the_form_of_an_edit_has_the_text_as_it_is(console: Desk) -> None:
    asked = await parked(console.tier, command="</textarea><script>alert(1)</script>\nrm")
    alice = await console.browser("alice")

    page = await alice.get(f"/actions/{asked.id}/edit")

    assert "<script>" not in page.text
    found = re.search(r'data-kind="text"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    assert found is not None
    assert html.unescape(found[1]) == asked.action.arguments["command"]
    assert f'data-digest="{asked.action.digest}"' in page.text


@pytest.mark.parametrize(
    ("terms", "accepts", "why"),
    [(Terms(may_edit=False), True, "lets nobody change it"), (None, False, "takes no changed arguments")],
)
async def test_where_nobody_may_edit_the_form_says_why(
    console: Desk, terms: Terms | None, accepts: bool, why: str
) -> None:
    asked = await parked(console.tier, terms=terms, accepts=accepts)
    alice = await console.browser("alice")

    page = await alice.get(f"/actions/{asked.id}/edit")

    assert why in page.text
    assert "<textarea" not in page.text


async def previewed(client: httpx.AsyncClient, choice: str, *ids: str) -> str:
    answer = await client.get("/answering/batch", params={"choice": choice, "id": list(ids)})
    assert answer.status_code == 200, answer.text
    return answer.text


def items(page: str) -> dict[str, str]:
    """The parts of a preview by the ids of their actions."""
    found = re.split(r'<li class="batch-item" data-id="([^"]*)"', page)
    return dict(zip(found[1::2], found[2::2], strict=True))


async def test_each_of_many_is_shown_with_what_the_answer_does(console: Desk) -> None:
    tier = console.tier
    one = await parked(tier, command="rm <b>a\u202e")
    two = await parked(tier, command="rm b", terms=Terms(approve=2))
    alice = await console.browser("alice")

    page = await previewed(alice, "approve", one.id, two.id)

    shown = items(page)
    assert list(shown) == [one.id, two.id]
    assert f'data-digest="{one.action.digest}"' in shown[one.id]
    assert "rm &lt;b&gt;a" in shown[one.id]
    assert "\u202e" not in page
    assert "Your approval decides" in shown[one.id]
    assert "1st of 2 approvals" in shown[two.id]
    assert 'data-can="2"' in page


async def test_what_is_not_shown_as_a_whole_is_not_approved_from_there(console: Desk) -> None:
    long = await parked(console.tier, command="echo " + "x" * 20_000)
    alice = await console.browser("alice")

    approving = await previewed(alice, "approve", long.id)
    rejecting = await previewed(alice, "reject", long.id)

    assert "too long to be shown here" in approving
    assert ('data-can="0"' in approving, 'data-can="1"' in rejecting) == (True, True)


@pytest.mark.parametrize(
    "call", [{"arguments": {f"{'a' * 120} and the rest": "x"}}, {"tool_name": f"{'t' * 80} and the rest"}]
)
async def test_a_long_name_is_shown_as_a_whole_before_it_is_approved(
    console: Desk, call: dict[str, Any]
) -> None:
    asked, alice = await parked(console.tier, **call), await console.browser("alice")

    approving = await previewed(alice, "approve", asked.id)
    panel = (await alice.get(f"/actions/{asked.id}/panel")).text

    assert "too long to be shown here" in approving
    assert "and the rest" in panel


async def test_what_is_decided_or_gone_or_another_fleets_is_left_out(console: Desk) -> None:
    one, two = await parked(console.tier, command="rm a"), await parked(console.tier, command="rm b")
    await console.tier.approver("bob").reject(two.id, reason="no")
    alice = await console.browser("alice")
    olga = await console.browser("olga", ["ops"])

    shown = items(await previewed(alice, "approve", two.id, "none.0", "none.99"))
    foreign = items(await previewed(olga, "approve", one.id, "none.0"))

    assert "bob rejected it" in shown[two.id]
    assert shown["none.0"].count("does not wait any more") == 1
    assert (
        foreign[one.id].replace(one.id, "none.0").split("</li>")[0].replace("batch-1", "batch-2")
        == (foreign["none.0"].split("</li>")[0])
    )


async def test_a_viewer_is_offered_nothing(console: Desk) -> None:
    asked = await parked(console.tier)
    viewer = await console.browser("vera", may=(Right.SEE,))

    panel = (await viewer.get(f"/actions/{asked.id}/panel")).text
    batch = await previewed(viewer, "approve", asked.id)

    assert panel.count('aria-disabled="true"') == 4
    assert "You may see this, and not answer it" in panel
    assert 'data-can="0"' in batch


async def test_the_panel_says_what_an_answer_will_do_and_then_what_it_did(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")

    before = (await alice.get(f"/actions/{asked.id}/panel")).text
    await decide(asked, console)
    after = (await alice.get(f"/actions/{asked.id}/panel")).text

    assert "Your approval decides: agent-1 may run it" in before
    assert "refused at once with your reason" in html.unescape(before)
    assert 'data-outcome="rejected"' in after
    assert "bob rejected it" in after
    assert "data-do=" not in after


async def decide(asked: Parked, console: Desk) -> None:
    await console.tier.approver("bob").reject(asked.id, reason="<b>no</b>")


async def test_a_wrong_preview_is_refused(console: Desk) -> None:
    alice = await console.browser("alice")

    for query in ("", "choice=approve", "choice=maybe&id=a.0", "choice=approve&id=a%20b"):
        assert (await alice.get(f"/answering/batch?{query}")).status_code == 422


async def test_what_there_is_no_room_for_is_left_out_and_says_so(console: Desk) -> None:
    """Each hidden character is an element of its own: of many such actions nobody could open the page."""
    alice = await console.browser("alice")
    asked = [await parked(console.tier, command=f"{n}" + "\u202e\u200b" * 5_900) for n in range(3)]

    shown = await previewed(alice, "approve", *(one.id for one in asked))

    assert shown.count("There is no room to show it") == 2
    assert shown.count(" checked") == 1


async def test_a_megabyte_in_many_values_is_folded(console: Desk) -> None:
    wide = {f"k{number}": f"{number} {'a' * 6_000} end" for number in range(150)}
    asked, alice = await parked(console.tier, arguments=wide), await console.browser("alice")

    panel = (await alice.get(f"/actions/{asked.id}/panel")).text

    assert len(panel) < 400_000
    assert "149 aaa" in panel
    assert panel.count(" end<") == 150
