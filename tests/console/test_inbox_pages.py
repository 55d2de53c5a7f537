"""The inbox's pages over HTTP: the list, the filters, one action, and what is folded of it."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from consoles import Desk
from guardtier import ActionEvent
from guardtier_workers.approvers import Right
from tier import high, unknown
from waiting import until

TWO_FLEETS: dict[str, Any] = {"web": {}, "data": {}}


@pytest.fixture
async def desk(console: Desk) -> Desk:
    return console


async def parked(desk: Desk, *actions: ActionEvent) -> list[str]:
    """Publish these actions, and wait until they are parked. Returns their ids, in the same order."""
    ids = []
    for action in actions:
        pending = await desk.tier.client(action.fleet).submit(action)
        ids.append(pending.id)
    await until(lambda: _all_parked(desk, ids))
    return ids


async def _all_parked(desk: Desk, ids: list[str]) -> bool:
    return {record.id for record in await desk.tier.records.pending(limit=200)} >= set(ids)


async def shows(client: httpx.AsyncClient, path: str, *texts: str) -> str:
    """The page, once it has these texts: the board hears of an action a moment after it was parked."""

    async def has() -> str:
        page = (await client.get(path)).text
        return page if all(text in page for text in texts) else ""

    found: str = await until(has)
    return found


async def test_what_waits_is_listed_the_riskiest_first(desk: Desk) -> None:
    alice = await desk.browser()
    first, second, third = await parked(desk, unknown("./a.out"), high("rm -rf ~"), high("rm -rf /srv"))

    page = await shows(alice, "/", first, second, third)

    assert re.findall(r'id="row-([^"]+)"', page) == [third, second, first]
    assert "rm -rf /srv" in page


async def test_filters_narrow_the_list_without_the_page(desk: Desk) -> None:
    alice = await desk.browser()
    one, other = await parked(desk, high("rm -rf ~", agent="coder"), high("rm -rf /srv", agent="ops"))
    await shows(alice, "/", one, other)

    answer = await alice.get("/rows", params={"agent": "ops", "fleet": "", "text": ""})

    assert other in answer.text
    assert one not in answer.text
    assert "<html" not in answer.text
    assert answer.headers["hx-replace-url"] == "/?agent=ops"


async def test_a_filter_that_is_wrong_is_said(desk: Desk) -> None:
    alice = await desk.browser()

    answer = await alice.get("/rows", params={"fleet": "no such fleet!"})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="rows"' in answer.text


async def test_a_long_list_comes_in_pages(desk: Desk) -> None:
    alice = await desk.browser()
    ids = await parked(desk, *(high(f"rm -rf /{at}") for at in range(5)))
    await shows(alice, "/", *ids)

    page = (await alice.get("/?limit=2")).text
    seen = re.findall(r'id="row-([^"]+)"', page)
    after = re.search(r"after=([^\"&]+)", page)
    assert after is not None
    more = (await alice.get("/rows", params={"after": after[1], "limit": 2})).text

    assert seen == ids[:-3:-1]
    assert re.findall(r'id="row-([^"]+)"', more) == ids[2:0:-1]
    assert 'hx-swap-oob="true"' in more


async def test_nothing_waits_and_the_page_says_what_to_do(desk: Desk) -> None:
    alice = await desk.browser()

    assert "Nothing waits" in await shows(alice, "/", "Nothing waits")
    assert "Show all that waits" in (await alice.get("/rows?text=zzz")).text


async def test_an_action_is_shown_exactly_as_it_will_run(desk: Desk) -> None:
    alice = await desk.browser()
    command = "echo <b>hi</b> && r\u200bm -rf ~\u202e; curl x | sh\x1b[2K"
    (action_id,) = await parked(desk, high(command, summary="<script>alert(1)</script>"))

    page = (await alice.get(f"/actions/{action_id}")).text

    assert "echo &lt;b&gt;hi&lt;/b&gt; &amp;&amp; r" in page
    for label in ("U+200B", "U+202E", "U+001B"):
        assert f">{label}</span>" in page
    assert "\u202e" not in page
    assert "\u200b" not in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


async def test_names_with_hidden_characters_are_not_offered_as_choices(desk: Desk) -> None:
    alice = await desk.browser()
    (action_id,) = await parked(desk, high(tool_name="sh\u202e\u200bell"))

    page = await shows(alice, "/", action_id)

    assert "\u202e" not in page
    assert "\u200b" not in page


async def test_the_panel_is_the_same_without_the_page(desk: Desk) -> None:
    alice = await desk.browser()
    (action_id,) = await parked(desk, high("rm -rf ~"))

    panel = (await alice.get(f"/actions/{action_id}/panel")).text

    assert panel.lstrip().startswith('<section id="detail"')
    assert f'data-id="{action_id}"' in panel
    assert re.search(r'data-digest="[0-9a-f]{64}"', panel)


async def test_another_fleets_action_is_answered_as_none(desk: Desk) -> None:
    bob = await desk.browser("bob", ["data"])
    (action_id,) = await parked(desk, high("rm -rf ~"))
    missing = "nosuchaction" + action_id[action_id.index(".") :]

    for path in ("", "/panel", f"/text?name=value-0&start=0&end=9&digest={'0' * 64}"):
        there = await bob.get(f"/actions/{action_id}{path}")
        none = await bob.get(f"/actions/{missing}{path}")
        assert (there.status_code, none.status_code) == (404, 404)
        assert there.text.replace(action_id, "ID") == none.text.replace(missing, "ID")
    assert action_id not in (await bob.get("/")).text


async def test_a_viewer_may_look(desk: Desk) -> None:
    vic = await desk.browser("vic", may=(Right.SEE,))
    (action_id,) = await parked(desk, high("rm -rf ~"))

    page = await shows(vic, "/", action_id)

    assert "You may look, and not answer." in page
    assert "rm -rf ~" in (await vic.get(f"/actions/{action_id}")).text


async def test_nobody_sees_anything_before_signing_in(desk: Desk) -> None:
    somebody = await desk.nobody()
    (action_id,) = await parked(desk, high("rm -rf ~"))

    for path in ("/", "/rows", f"/actions/{action_id}", f"/actions/{action_id}/panel"):
        answer = await somebody.get(path)
        assert answer.status_code == 303, path
        assert "rm -rf" not in answer.text


async def test_ids_that_are_none_are_refused(desk: Desk) -> None:
    alice = await desk.browser()

    for action_id in ("%00.0", "x", "..%2f..%2fetc.0", "a.99", "<b>.0", "a" * 300 + ".0"):
        answer = await alice.get(f"/actions/{action_id}")
        assert answer.status_code in (404, 422), action_id
        assert "<b>" not in answer.text


async def test_a_megabyte_is_folded_and_comes_on_demand(desk: Desk) -> None:
    alice = await desk.browser()
    command = "echo " + "x" * 700_000 + "\u202e<i>; rm -rf ~" + "y" * 200_000
    (action_id,) = await parked(desk, high(command))

    page = (await alice.get(f"/actions/{action_id}")).text
    gap = re.search(r'hx-get="(/actions/[^"]+name=value-0[^"]+)"', page)
    assert len(page) < 100_000
    assert gap is not None

    shown, loads = page, 0
    while gap is not None:
        loads += 1
        shown = (await alice.get(gap[1].replace("&amp;", "&"))).text
        assert len(shown) < 200_000
        if ">U+202E</span>&lt;i&gt;; rm -rf ~" in shown:
            break
        gap = re.search(r'hx-get="([^"]+)"', shown)
    assert ">U+202E</span>&lt;i&gt;; rm -rf ~" in shown
    assert loads < 30


async def test_what_is_folded_of_an_action_that_has_changed_is_not_mixed(desk: Desk) -> None:
    alice = await desk.browser()
    (action_id,) = await parked(desk, high("rm -rf ~"))

    answer = await alice.get(
        f"/actions/{action_id}/text",
        params={"name": "value-0", "start": 0, "end": 5, "digest": "0" * 64},
    )

    assert answer.status_code == 409


async def test_what_no_page_asks_for_is_refused(desk: Desk) -> None:
    alice = await desk.browser()
    (action_id,) = await parked(desk, high("rm -rf ~"))

    for query in ("", "name=..", "name=value-0&start=-1", "name=json&start=0&end=1e9"):
        assert (await alice.get(f"/actions/{action_id}/text?{query}")).status_code == 422, query
    digest = (await alice.get(f"/api/v1/actions/{action_id}")).json()["digest"]
    unknown_name = {"name": "value-99", "start": 0, "end": 9, "digest": digest}
    assert (await alice.get(f"/actions/{action_id}/text", params=unknown_name)).status_code == 404


async def test_an_edited_action_shows_what_was_asked_for(desk: Desk) -> None:
    alice = await desk.browser()
    approver = desk.tier.approver("bob")
    client = desk.tier.client(accept_edits=True)
    pending = await client.submit(high("rm -rf /srv/data"))
    record = await until(lambda: _parked(desk, pending.id))

    await approver.edit(pending.id, {"command": "rm -rf /srv/cache"}, digest=record.digest)
    page = await shows(alice, f"/actions/{pending.id}", "What an approver has changed")

    assert re.search(r'<mark class="hit" data-risk="removed">data</mark>', page)
    assert re.search(r'<mark class="hit" data-risk="added">cache</mark>', page)


async def _parked(desk: Desk, action_id: str) -> Any:
    found = await desk.tier.records.pending(limit=50)
    return next((record for record in found if record.id == action_id), None)
