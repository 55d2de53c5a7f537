"""guardtier approve --remember, guardtier grants: against the tier that ``guardtier up`` runs."""

from __future__ import annotations

from typing import Any

import pytest

from cli.conftest import Done, Terminal, Up
from guardtier.policy.grants import Pattern, Scope
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.remember import wish
from waiting import until_sync

FLEET = "granted"


@pytest.fixture(scope="module")
def cli(up: Up) -> Terminal:
    assert up.terminal.run("fleet", "add", FLEET).code == 0
    return up.terminal


def submitted(cli: Terminal, command: str) -> Done:
    return cli.run("submit", command, "--no-wait", "--json", "--fleet", FLEET)


def parked(cli: Terminal, command: str) -> str:
    done = submitted(cli, command)
    assert done.code == 3
    return str(done.json["id"])


def test_an_approval_is_remembered_in_words_used_listed_and_revoked(cli: Terminal) -> None:
    action_id = parked(cli, "rm -rf ~/.ssh/a")

    done = cli.run("approve", action_id, "--remember", "command", "--for", "30m", "--uses", "3", "--json")

    assert done.code == 0
    assert "is to be remembered for 30m00s: terminal: rm -rf <a path below ~/.ssh/>, by agent" in done.err
    grant = done.json["left_grant"]
    assert until_sync(lambda: listed(cli)) == {grant: (0, 3)}
    released = submitted(cli, "rm -rf ~/.ssh/b")
    assert (released.code, released.json["grant"]) == (0, grant)
    assert listed(cli) == {grant: (1, 3)}
    assert grant in cli.run("show", released.json["id"]).out
    assert "1 of 3" in cli.run("grants", "list", "--fleet", FLEET).out

    assert cli.run("grants", "revoke", grant).code == 0

    assert submitted(cli, "rm -rf ~/.ssh/c").code == 3
    assert listed(cli) == {}
    again = cli.run("grants", "revoke", grant, "--fleet", FLEET, "--json")
    assert (again.code, '"unknown_grant"' in again.err) == (1, True)


def listed(cli: Terminal) -> dict[str, tuple[int, int]]:
    found = cli.run("grants", "list", "--fleet", FLEET, "--json").json["grants"]
    return {one["id"]: (one["uses"], one["max_uses"]) for one in found}


def test_suggestions_are_told_in_words(cli: Terminal) -> None:
    found = cli.run("grants", "suggest", parked(cli, "rm -rf ~/.ssh/a && rm -rf ~/.ssh/b"), "--json").json

    assert [one["pattern"] for one in found["suggestions"]] == ["exact", "command", "tool"]
    alone = cli.run("grants", "suggest", parked(cli, "rm -rf ~/.ssh/$X"))
    assert alone.out.startswith("--remember exact --scope agent: exactly the same call")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((None, Scope.FLEET, None, None, None), "--scope says how --remember is meant"),
        ((None, None, "1h", None, None), "--for says how --remember is meant"),
        ((Pattern.TOOL, Scope.FLEET, None, None, None), "for an agent or a conversation, not for a fleet"),
        ((Pattern.EXACT, None, "soon", None, None), "'soon' is no time"),
        ((Pattern.EXACT, None, "31d", None, None), "^--for: 1 s to 30 days$"),
        ((Pattern.EXACT, None, None, None, "src"), "below is for the pattern command"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options: tuple[Any, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wish(*options)


def test_what_can_not_be_remembered_is_not_approved(cli: Terminal) -> None:
    action_id = parked(cli, "rm -rf ~/.ssh/$X")

    done = cli.run("approve", action_id, "--remember", "command")

    assert done.code == 2
    assert "plain shell commands" in done.err
    assert cli.run("show", action_id, "--json").json["state"] == "parked"
