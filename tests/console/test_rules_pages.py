"""The pages of grants and of the policy: what they show, to whom, and that nothing on them is alive."""

from __future__ import annotations

from consoles import Desk, StartConsole
from guardtier_workers.approvers import Right
from guardtier_workers.cli.state import OPERATES
from remembered import remembered
from tier import Tier

EVIL = "<img src=x onerror=alert(1)>"
FILE = f"""\
version = 1

[[rule]]
name = "refunds"
outcome = "reject"
tool = "{EVIL}"
reason = "{EVIL} \\u202e"
"""


async def test_the_grants_page_shows_each_in_words(console: Desk) -> None:
    grant = await remembered(console.tier)
    alice, vera = await console.browser("alice"), await console.browser("vera", may=[Right.SEE])

    page, looks = (await alice.get("/grants")).text, (await vera.get("/grants?fleet=web")).text

    assert f'id="grant-{grant}"' in page
    assert "exactly the same call of terminal" in page
    assert "used 0 of 10 times" in page
    assert "disabled" not in page
    assert "Revoking needs the right to answer in web." in looks


async def test_no_grants_is_said(console: Desk) -> None:
    alice = await console.browser("alice")

    assert "Nothing is remembered" in (await alice.get("/grants")).text
    assert (await alice.get("/grants?fleet=nothere")).status_code == 404


async def test_the_policy_page_shows_rules_in_words_and_nothing_alive(console: Desk) -> None:
    olga = await console.browser("olga", may=OPERATES)
    put = await olga.put("/api/v1/policy-file", json={"text": FILE})
    assert put.status_code == 200, put.text

    page = (await olga.get("/policy")).text

    assert "<img" not in page
    assert "with tool &lt;img src=x onerror=alert(1)&gt;" in page
    assert "is rejected: “&lt;img src=x onerror=alert(1)&gt; <span" in page
    assert ">U+202E</span>”" in page
    assert f'data-replaces="{put.json()["set_digest"]}"' in page
    assert "file@1, set at run time by olga on " in page


async def test_who_may_not_set_it_gets_no_form(console: Desk) -> None:
    vera = await console.browser("vera", ["web"], [Right.SEE])

    page = (await vera.get("/policy")).text

    assert "policy-form" not in page
    assert "for admins of web" in page
    assert "it is set by admins of every fleet" in page


async def test_who_looks_without_signing_in_sees_the_pages_and_changes_nothing(
    tier: Tier, start_console: StartConsole
) -> None:
    grant = await remembered(tier)
    somebody = await (await start_console(tier, open_to_viewers=True)).nobody()

    grants, policy = (await somebody.get("/grants")).text, (await somebody.get("/policy")).text
    answers = [
        await somebody.delete(f"/api/v1/grants/web/{grant}"),
        await somebody.put("/api/v1/policies/web", json={"policy": {"kind": "never_confirm"}}),
        await somebody.put("/api/v1/policy-file", json={"text": FILE}),
    ]

    assert grant in grants
    assert "for admins of web" in policy
    assert {answer.status_code for answer in answers} <= {401, 403}


async def test_nobody_sees_the_pages_without_signing_in(console: Desk) -> None:
    somebody = await console.nobody()

    assert [(await somebody.get(path)).status_code for path in ("/grants", "/policy")] == [303, 303]
