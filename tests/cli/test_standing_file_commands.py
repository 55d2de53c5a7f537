"""guardtier policy set|show|reset --file, diff, replay: rules for a fleet of these tests' own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.conftest import Done, Terminal, Up
from guardtier_workers.cli.entry import run

RULES = """version = 1
[[rule]]
name = "no-listing"
outcome = "reject"
reason = "not here"
fleet = "filed"
when = 'action.arguments.command.startsWith("ls")'

[[test]]
name = "a listing"
action = { fleet = "filed", tool_name = "terminal", arguments = { command = "ls" } }
expect = "reject"
rules = ["no-listing"]

[[test]]
name = "what is dangerous"
action = { fleet = "filed", tool_name = "terminal", arguments = { command = "rm -rf ~/.ssh" } }
expect = "park"
rules = []
"""


@dataclass
class Here:
    """Runs commands in this process, with the state directory of a tier that runs."""

    capsys: pytest.CaptureFixture[str]

    def run(self, *args: str) -> Done:
        self.capsys.readouterr()
        code = run(list(args))
        return Done(code, *self.capsys.readouterr())


@pytest.fixture
def cli(up: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    for name, value in up.terminal.env.items():
        if name.startswith("GUARDTIER_"):
            monkeypatch.setenv(name, value)
    here = Here(capsys)
    assert here.run("fleet", "add", "filed").code == 0
    yield here
    assert here.run("policy", "reset", "--file").code == 0


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return file


def submitted(cli: Here, command: str) -> int:
    return cli.run("submit", command, "--no-wait", "--fleet", "filed").code


def test_a_file_is_set_shown_compared_and_reset(cli: Here, rules: Path, tmp_path: Path) -> None:
    done = cli.run("policy", "set", "--file", str(rules))

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("policy file: file@1, set at run time by operator ")
    assert submitted(cli, "ls") == 3
    assert cli.run("policy", "show", "--file").out == RULES
    shown = cli.run("policy", "show").out
    assert shown.startswith("policy file: file@1, set at run time by operator ")
    assert cli.run("policy", "show", "--json").json["file"]["source"] == "run time"

    same = cli.run("policy", "diff", str(rules))
    other = tmp_path / "other.toml"
    other.write_text(RULES.replace("no-listing", "never-list"))
    differs = cli.run("policy", "diff", str(other))
    told = cli.run("policy", "diff", str(other), "--json").json
    assert same.out.startswith("no difference: ")
    assert "rules added: never-list\nrules removed: no-listing\n" in differs.out
    assert '-name = "no-listing"\n+name = "never-list"\n' in differs.out
    assert (told["same"], told["added"], told["changed"]) == (False, ["never-list"], [])

    assert cli.run("policy", "reset", "--file").out.startswith("policy file: none, reset by operator ")


def test_what_a_file_would_change_is_told_before_it_is_set(cli: Here, rules: Path) -> None:
    submitted(cli, "ls -la")
    submitted(cli, "pwd")

    told = cli.run("policy", "replay", "--since", "1h", "--file", str(rules), "--fleet", "filed")
    body = cli.run(
        "policy", "replay", "--file", str(rules), "--fleet", "filed", "--as-recorded", "--json"
    ).json

    assert told.code == 0
    assert "\nnewly rejected by no-listing: " in told.out
    assert " filed/cli LOW terminal: ls -la\n" in told.out
    assert body["newly"] == {"released": 0, "parked": 0, "rejected": body["changes"][0]["count"]}
    assert body["changes"][0]["rules"] == ["no-listing"]


def test_what_the_file_says_of_a_fleet_is_shown(cli: Here, rules: Path) -> None:
    rules.write_text('version = 1\n[fleet.filed]\npolicy = { kind = "never_confirm" }\nmode = "shadow"\n')
    assert cli.run("policy", "set", "--file", str(rules)).code == 0

    shown = cli.run("policy", "show", "filed")
    set_at_run_time = cli.run("policy", "set", "filed", "always_confirm", "--json").json
    cli.run("policy", "reset", "filed")

    assert "filed: never_confirm, file@" in shown.out
    assert shown.out.endswith(", from the policy file, in shadow mode: everything is released\n")
    assert (set_at_run_time["source"], set_at_run_time["shadow"]) == ("run time", True)


def test_a_file_whose_tests_fail_is_not_sent(cli: Here, rules: Path) -> None:
    rules.write_text(RULES.replace('expect = "park"', 'expect = "release"'))

    done = cli.run("policy", "set", "--file", str(rules), "--json")

    assert done.code == 2
    error = json.loads(done.err)["error"]
    assert error["field"] == "test"
    assert "'what is dangerous': expected release, got park by the default" in error["message"]
    assert cli.run("policy", "show", "--json").json["file"]["source"] == "none"


@pytest.mark.parametrize(
    "wrong",
    [
        ("set", "filed", "--file", "{}"),
        ("set", "filed"),
        ("set",),
        ("set", "--file", "/nowhere.toml"),
        ("show", "filed", "--file"),
        ("reset",),
        ("reset", "filed", "--file"),
        ("diff", "/nowhere.toml"),
        ("replay", "--since", "soon"),
        ("replay", "--file", "/nowhere.toml"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_told_in_one_line(
    rules: Path, wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any tier is asked, so in this process."""
    code = run(["policy", *(part.format(rules) for part in wrong)])

    told = capsys.readouterr().err
    assert code == 2
    assert told.startswith("guardtier: ")
    assert told.count("\n") == 1


# -- the settings' own file, without a tier ------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, rules: Path) -> Path:
    """Settings that name the rules."""
    file = tmp_path / "guardtier.toml"
    file.write_text(f'policy_file = "{rules}"\n')
    return file


def test_check_says_what_the_settings_file_would_do(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "ls", "--fleet", "filed", "--config", str(config)]) == 3
    assert capsys.readouterr().out.startswith("LOW: would be rejected by no-listing (file:")
    assert run(["check", "pwd", "--fleet", "filed", "--config", str(config)]) == 0
    assert ": would be released (confirm_risky:HIGH+unknown, file:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [("check", "ls"), ("worker", "policy", "--redis-url", "redis://127.0.0.1:1/0"), ("up",)]
)
def test_a_wrong_settings_file_is_told_at_once(
    config: Path, rules: Path, terminal: Terminal, command: tuple[str, ...]
) -> None:
    rules.write_text("version = 1\nrules = []\n")

    done = terminal.run(*command, "--config", str(config))

    assert done.code == 2
    told = done.err.strip().splitlines()[-1]
    assert told.startswith("guardtier: policy_file: ")
    assert "rules" in told


def test_fleets_that_nobody_registered_are_told_beside(cli: Here, rules: Path) -> None:
    """A misspelt one would have no rules, and nobody would know."""
    assert cli.run("policy", "set", "--file", str(rules)).err == ""
    rules.write_text(
        RULES.replace('fleet = "filed"\nwhen', 'fleet = ["filed", "fi*", "flied", "x-*"]\nwhen')
    )

    done = cli.run("policy", "set", "--file", str(rules))

    assert done.code == 0
    assert "no fleet is registered as flied, x-*" in done.err
