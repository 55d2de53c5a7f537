"""Edits by the console: what changes is shown before, and the agent runs what the approver made of it."""

from __future__ import annotations

from typing import Any

import orjson

from console.answering import refused, said
from consoles import Desk, StartConsole
from editing import ByWord, Parked, parked
from guardtier import State
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from tier import StartTier, only


def edit_of(asked: Parked, arguments: Any, **more: Any) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return {"digest": asked.action.digest, "arguments": text} | more


async def test_the_agent_runs_the_approvers_arguments(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")

    came = await said(
        alice, f"/actions/{asked.id}/edit", edit_of(asked, {"command": "ls ~/.ssh"}, reason="look first")
    )

    verdict = await asked.waiting
    assert verdict.apply(asked.action).arguments == {"command": "ls ~/.ssh"}
    assert (came["outcome"], came["verdict"]["edited_from"]) == ("approved", asked.action.digest)


async def test_what_changes_is_shown_before_it_is_sent(console: Desk) -> None:
    asked = await parked(console.tier, command="rm -rf a")
    alice = await console.browser("alice")

    shown = await said(alice, f"/actions/{asked.id}/changes", edit_of(asked, {"command": "ls \u202ea"}))

    assert shown == {
        "lines": ["  command:", "    …", "    - rm -rf a", "    + ls \\u202ea"],
        "more": 0,
    }
    assert (await console.tier.record(asked.id)).state is State.PARKED


async def test_what_is_riskier_is_looked_at_again(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(ByWord()))
    console = await start_console(tier)
    asked = await parked(tier)
    alice = await console.browser("alice")

    came = await said(alice, f"/actions/{asked.id}/edit", edit_of(asked, {"command": "./setup"}))

    assert (came["outcome"], came["revised"]["risk"]) == ("riskier", "UNKNOWN")
    assert "Look at it again" in came["words"]
    assert (await tier.record(asked.id)).state is State.PARKED


async def test_one_of_two_edits_and_it_goes_on_waiting(console: Desk) -> None:
    asked = await parked(console.tier, terms=Terms(approve=2))
    alice = await console.browser("alice")

    came = await said(alice, f"/actions/{asked.id}/edit", edit_of(asked, {"command": "ls"}))

    assert came["outcome"] == "changed"
    assert came["words"] == "Changed and counted: 1 of 2 approvals: alice. It goes on waiting."


UNREADABLE = [
    "",
    "{",
    "[1]",
    '"ls"',
    '{"command": "ls", "command": "rm"}',
    '{"n": 123456789012345678901234567890}',
    '{"n": NaN}',
    '{"command": "\\ud800"}',
    '{"a":' * 65 + "1" + "}" * 65,
]


async def test_what_not_every_parser_reads_alike_is_refused(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.program("alice")

    for text in UNREADABLE:
        for what in ("edit", "changes"):
            problem = await refused(alice, f"/actions/{asked.id}/{what}", edit_of(asked, text), 422)
            assert problem["code"] == "invalid_action"

    assert (await console.tier.record(asked.id)).state is State.PARKED


async def test_a_large_integer_stays_exact(console: Desk) -> None:
    asked = await parked(console.tier)
    alice = await console.browser("alice")

    await said(alice, f"/actions/{asked.id}/edit", edit_of(asked, '{"id": 9007199254740993}'))

    assert (await asked.waiting).arguments == {"id": 9007199254740993}


async def test_an_agent_that_takes_no_edits_gets_none(console: Desk) -> None:
    asked = await parked(console.tier, accepts=False)
    alice = await console.browser("alice")

    problem = await refused(alice, f"/actions/{asked.id}/edit", edit_of(asked, {"command": "ls"}), 422)

    assert (problem["code"], problem["field"]) == ("edit_refused", "accepts")


async def test_an_edit_of_what_has_changed_is_a_conflict(console: Desk) -> None:
    asked = await parked(console.tier, terms=Terms(approve=2))
    await console.tier.approver("bob").edit(asked.id, {"command": "ls"})
    alice = await console.browser("alice")

    for what in ("edit", "changes"):
        problem = await refused(
            alice, f"/actions/{asked.id}/{what}", edit_of(asked, {"command": "cat"}), 409
        )
        assert problem["message"].startswith("bob has changed what it would run, ")


async def test_whose_edit_it_was_is_told_though_the_script_looked_at_the_clock_later(console: Desk) -> None:
    asked = await parked(console.tier, terms=Terms(approve=2))
    await console.tier.approver("bob").edit(asked.id, {"command": "ls"})
    await console.tier.redis.hincrby(Keys(0).action(asked.id), "revised_at", 5)
    alice = await console.browser("alice")

    problem = await refused(alice, f"/actions/{asked.id}/edit", edit_of(asked, {"command": "cat"}), 409)

    assert problem["message"].startswith("bob has changed what it would run, ")


async def test_the_changes_of_another_fleets_action_are_not_shown(console: Desk) -> None:
    asked = await parked(console.tier)
    olga = await console.browser("olga", ["ops"])

    await refused(olga, f"/actions/{asked.id}/changes", edit_of(asked, {"command": "ls"}), 404)
    await refused(olga, f"/actions/{asked.id}/edit", edit_of(asked, {"command": "ls"}), 404)
