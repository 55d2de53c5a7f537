"""guardtier halt, resume, halts: against the tier that ``guardtier up`` runs, with a fleet of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli.conftest import Done, Up
from guardtier_workers.cli.entry import run


@dataclass
class Here:
    """Runs commands in this process, with the state directory of a tier that runs."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, *args: str, token: str = "") -> Done:
        self.capsys.readouterr()
        with self.monkeypatch.context() as patch:
            if token:
                patch.setenv("GUARDTIER_APPROVER_TOKEN", token)
            code = run(list(args))
        return Done(code, *self.capsys.readouterr())


@pytest.fixture
def cli(up: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    for name, value in up.terminal.env.items():
        if name.startswith("GUARDTIER_"):
            monkeypatch.setenv(name, value)
    here = Here(capsys, monkeypatch)
    assert here.run("fleet", "add", "halted").code == 0
    yield here
    here.run("resume", "--fleet", "halted")


def submitted(cli: Here, command: str, agent: str = "bot") -> int:
    return cli.run("submit", command, "--no-wait", "--fleet", "halted", "--agent", agent).code


def test_a_conversation_is_halted_with_its_agent(cli: Here) -> None:
    done = cli.run("halt", "--fleet", "halted", "--conversation", "c1", "--reason", "x")

    assert (done.code, done.err) == (2, "guardtier: a conversation is halted with its agent: name both\n")


def test_a_fleet_is_halted_listed_and_resumed(cli: Here) -> None:
    assert submitted(cli, "ls") == 0

    done = cli.run("halt", "--fleet", "halted", "--reason", "look at \x1b[31mthis")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("halted: fleet halted; everything new is parked\n")
    assert "not stopped: 1 that were let go within the last 10m" in done.out
    assert "  bot  " in done.out
    assert submitted(cli, "ls") == 3
    listed = cli.run("halts", "halted").out
    assert listed.startswith("fleet halted: halted by operator ")
    assert listed.endswith("ago, parked: look at \\x1b[31mthis\n")

    resumed = cli.run("resume", "--fleet", "halted", "--reason", "false alarm")
    assert resumed.out.startswith("resumed: fleet halted; it was halted by operator")
    assert submitted(cli, "ls") == 0
    assert cli.run("halts", "halted").out == "nothing is halted\n"


def test_an_agent_is_halted_and_what_it_has_parked_is_rejected(cli: Here) -> None:
    assert submitted(cli, "rm -rf ~/.ssh", "wild") == 3

    done = cli.run(
        "halt", "--fleet", "halted", "--agent", "wild", "--reason", "stop", "--then", "reject",
        "--reject-parked", "--json",
    )  # fmt: skip

    assert done.json["scope"] == {"fleet": "halted", "agent": "wild"}
    assert (done.json["rejected"], done.json["waiting"], done.json["complete"]) == (1, 0, True)
    refused = cli.run("submit", "ls", "--fleet", "halted", "--agent", "wild", "--json")
    assert (refused.code, refused.json["rules"]) == (3, ["halt"])
    assert submitted(cli, "ls", "tame") == 0
    assert cli.run("resume", "--fleet", "halted", "--agent", "wild", "--json").json["halted"] == []


def test_what_is_not_halted_is_not_resumed(cli: Here) -> None:
    done = cli.run("resume", "--fleet", "halted", "--agent", "nobody")

    assert done.code == 1
    assert "nothing is halted by just these names" in done.err


def test_an_approver_needs_the_right(cli: Here) -> None:
    finn = cli.run("approver", "add", "finn", "--json").json["token"]
    hana = cli.run("approver", "add", "hana", "--may-halt", "--json").json["token"]
    ask = ("halt", "--fleet", "halted", "--agent", "x", "--reason", "stop", "--json")

    refused = cli.run(*ask, "--as", "finn", token=finn)
    done = cli.run(*ask, "--as", "hana", token=hana)

    assert refused.code == 1
    assert json.loads(refused.err)["error"]["field"] == "may"
    assert done.json["halt"]["by"] == "hana"


@pytest.mark.parametrize(
    "wrong",
    [
        ("halt", "--fleet", "halted"),
        ("halt", "--fleet", "halted", "--conversation", "c", "--reason", "x"),
        ("halt", "--fleet", "nobody", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_told_in_one_line(cli: Here, wrong: tuple[str, ...]) -> None:
    done = cli.run(*wrong)

    assert done.code in (1, 2)
    assert done.err.startswith("guardtier: ")
    assert done.err.count("\n") == 1
