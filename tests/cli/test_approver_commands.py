"""guardtier approver list, rotate, remove: what they print; the last one goes only when it is meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Done
from guardtier.answer import key_of
from guardtier_workers import approvers
from guardtier_workers.cli.entry import run
from guardtier_workers.cli.state import StateDir

Cli = Callable[..., Done]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs commands in this process, with a state directory of their own."""
    monkeypatch.setenv("GUARDTIER_STATE_DIR", str(tmp_path / "state"))

    def called(*arguments: str) -> Done:
        code = run(["approver", *arguments])
        said = capsys.readouterr()
        return Done(int(code), said.out, said.err)

    return called


def test_who_may_answer_is_listed_without_keys(cli: Cli) -> None:
    token = cli("add", "alice", "--fleet", "web", "--role", "dba", "--agent", "web/coder-*").out.strip()
    cli("add", "sam", "--vouched-by", "console", "--principal", "s@x", "--may-halt")

    done = cli("list", "--json")
    alice, sam = done.json["approvers"]

    assert (alice["name"], alice["fleets"], alice["roles"]) == ("alice", ["web"], ["dba"])
    assert (alice["may"], alice["agents"], alice["token"]) == (["answer"], ["web/coder-*"], True)
    assert (sam["principal"], sam["vouched_by"], sam["token"]) == ("s@x", ["console"], False)
    for said in (done.out, cli("list").out):
        assert token not in said
        assert key_of(token).hex() not in said
    assert "web/coder-*" in cli("list").out


def test_the_last_who_can_answer_is_removed_when_that_is_meant(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "approvers.toml"
    cli("add", "alice", "--file", str(file))
    assert "to look: export" in cli("add", "vic", "--may-see", "--file", str(file)).err
    assert cli("remove", "vic", "--file", str(file)).code == 0

    asked = cli("remove", "alice", "--file", str(file))
    assert (asked.code, [one.name for one in approvers.read(file)]) == (2, ["alice"])
    assert "nobody can answer" in asked.err
    assert "--yes" in asked.err

    meant = cli("remove", "alice", "--file", str(file), "--yes", "--json")
    assert (meant.code, approvers.read(file)) == (0, [])
    assert (meant.json["approver"], meant.json["unanswered"]) == ("alice", ["*"])
    assert "WARNING: nobody can answer" in meant.err


def test_a_console_that_goes_takes_along_who_comes_by_it(cli: Cli) -> None:
    cli("add", "alice")
    cli("add", "console", "--may-vouch")
    cli("add", "sam", "--vouched-by", "console")

    done = cli("remove", "console")

    assert (done.code, "sam came by console alone" in done.err) == (0, True)


def test_a_token_that_up_keeps_is_the_new_one(cli: Cli) -> None:
    state = StateDir()
    state.make()
    old = state.operator()
    other = state.operator("bob")

    token = cli("rotate", "operator").out.strip()

    assert state.operator().token == token != old.token
    assert state.operator("bob") == other
    assert json.loads((state.path / "operator.json").read_text())["token"] == token
    assert (state.path / "operator.json").stat().st_mode & 0o777 == 0o600
