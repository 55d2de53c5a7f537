"""The approvers file: who may do what, and what an older file still means."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from guardtier.answer import key_of
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier_workers import approvers
from guardtier_workers.approvers import Approver, Approvers, Right
from guardtier_workers.cli.checkup import configuration
from guardtier_workers.cli.state import OPERATES, StateDir


def written(folder: Path, entry: str) -> list[Approver]:
    file = folder / "approvers.toml"
    file.write_text(f'[[approver]]\nname = "alice"\nkey = "{key_of("x").hex()}"\n{entry}')
    return approvers.read(file)


def test_a_file_that_says_nothing_of_rights_lets_answer_alone(tmp_path: Path):
    (alice,) = written(tmp_path, "")

    assert alice.may_answer("web")
    assert not alice.may_configure("web")


@pytest.mark.parametrize("right", Right)
def test_a_right_is_for_the_approvers_fleets_alone(tmp_path: Path, right: Right):
    (alice,) = written(tmp_path, f'fleets = ["web"]\nmay = ["{right}"]\n')

    assert alice.may_answer("web") is (right is Right.ANSWER)
    assert alice.may_configure("web") is (right is Right.CONFIGURE)
    assert not alice.may_answer("ops")
    assert not alice.may_configure("ops")


@pytest.mark.parametrize("wrong", ['may = ["everything"]', 'may = "answer"', "may = [1]"])
def test_a_right_that_there_is_none_of_is_refused(tmp_path: Path, wrong: str):
    with pytest.raises(ConfigError, match="may"):
        written(tmp_path, wrong)


def test_what_is_added_is_read_again(tmp_path: Path):
    file = tmp_path / "approvers.toml"
    approvers.add(file, "alice", ["web"])
    approvers.add(file, "bob", may=OPERATES)

    alice, bob = approvers.read(file)

    assert (alice.may, bob.may) == ({Right.ANSWER}, set(OPERATES))
    assert tomllib.loads(file.read_text())["approver"][1]["may"] == ["answer", "configure", "halt"]


def test_an_approver_is_their_own_principal_unless_it_says_so(tmp_path: Path):
    (alice,) = written(tmp_path, "")
    (al,) = written(tmp_path, 'principal = "al@example.org"\n')

    assert (alice.principal, al.principal) == ("alice", "al@example.org")


def test_who_it_is_is_read_again(tmp_path: Path):
    file = tmp_path / "approvers.toml"
    approvers.add(file, "phone", principal="alice", roles=["ops", "dba"], agents=["web/coder-*", "*/al"])

    (phone,) = approvers.read(file)

    assert (phone.principal, phone.roles) == ("alice", {"ops", "dba"})
    assert set(phone.agents) == {"web/coder-*", "*/al"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "a b"), ("principal", "é"), ("roles", ["a b"]), ("agents", ["coder"]), ("agents", ["web/"])],
)
def test_what_is_wrong_with_an_approver_is_named(tmp_path: Path, field: str, value: Any):
    fields = {"name": "alice"} | {field: value}

    with pytest.raises(ConfigError) as refused:
        approvers.add(tmp_path / "approvers.toml", **fields)

    assert refused.value.field == field
    assert not (tmp_path / "approvers.toml").exists()


@pytest.mark.parametrize(
    ("fleet", "agent", "own"),
    [
        ("web", "coder-1", True),
        ("ops", "coder-1", False),
        ("ops", "al", True),
        ("web", "team/al", True),
        ("web", "alice", True),
        ("web", "phone", True),
        ("web", "Coder-1", False),
        ("web", "other", False),
    ],
)
def test_whose_agents_an_approver_may_not_answer_for(tmp_path: Path, fleet: str, agent: str, own: bool):
    file = tmp_path / "approvers.toml"
    approvers.add(file, "phone", principal="alice", agents=["web/coder-*", "*/al"])
    approvers.add(file, "laptop", principal="alice")
    known = Approvers(file)

    for name in ("phone", "laptop"):  # one person
        approver = known.named(name)
        assert approver is not None
        assert known.is_own(approver, fleet, agent) is own


def test_how_many_people_have_a_role(tmp_path: Path):
    file = tmp_path / "approvers.toml"
    approvers.add(file, "phone", principal="alice", roles=["dba"])
    approvers.add(file, "laptop", principal="alice", roles=["dba", "ops"])
    approvers.add(file, "bob", ["web"], roles=["ops"])
    approvers.add(file, "olga", may=[Right.CONFIGURE], roles=["dba"])
    known = Approvers(file)

    assert known.principals("web") == {"alice", "bob"}
    assert known.principals("ops") == {"alice"}
    assert known.principals("web", ["dba"]) == {"alice"}
    assert known.principals("web", ["dba", "ops"]) == {"alice", "bob"}
    assert Approvers(None).principals("web") == set()


def test_whoever_starts_a_tier_may_configure_it(tmp_path: Path):
    state = StateDir(tmp_path)
    state.make()

    made = state.operator()

    (known,) = approvers.read(state.approvers_file)
    assert known.name == made.approver
    assert known.may == set(OPERATES)


@pytest.mark.parametrize(
    "entry", ['name = "al"\nkey = "{key}0"', 'name = "al"\nkeey = "{key}"', 'key = "{key}"']
)
def test_an_error_does_not_show_a_key(tmp_path: Path, entry: str) -> None:
    key = "0123456789abcdef" * 4
    file = tmp_path / "approvers.toml"
    file.write_text("[[approver]]\n" + entry.replace("{key}", key))

    with pytest.raises(ConfigError, match=r"approver\.0\.") as raised:
        approvers.read(file)

    assert key[:8] not in str(raised.value)


def test_who_is_vouched_for_needs_no_token(tmp_path: Path):
    file = tmp_path / "approvers.toml"
    assert approvers.add(file, "console", may=[Right.VOUCH])
    subject = 'https://id.example "a\\b" c'
    assert approvers.add(file, "sam", subject=subject, vouched_by=["console"], with_token=False) == ""

    _, sam = approvers.read(file)

    assert (sam.key, sam.subject, sam.vouched_by) == ("", subject, {"console"})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"with_token": False}, "may"),
        ({"may": [Right.VOUCH, Right.ANSWER]}, "may"),
        ({"may": [Right.VOUCH], "vouched_by": ["c"], "with_token": False}, "may"),
        ({"subject": "https://id.example"}, "subject"),
        ({"subject": "https://id.example a\nb"}, "subject"),
        ({"subject": "https://id.example " + "x" * 256}, "subject"),
        ({"vouched_by": ["a b"]}, "vouched_by"),
    ],
)
def test_vouching_that_can_not_work_is_refused(tmp_path: Path, fields: dict[str, Any], field: str):
    with pytest.raises(ConfigError) as caught:
        approvers.add(tmp_path / "approvers.toml", "sam", **fields)

    assert caught.value.field == field


def test_a_subject_is_one_approvers(tmp_path: Path):
    file = tmp_path / "approvers.toml"
    approvers.add(file, "sam", subject="https://id.example 1")

    with pytest.raises(ConfigError, match="subject"):
        approvers.add(file, "max", subject="https://id.example 1")
    file.write_text(file.read_text() + file.read_text().replace('"sam"', '"max"'))
    with pytest.raises(ConfigError, match="subject stands twice"):
        approvers.read(file)


def test_a_file_that_everybody_may_write_lets_nobody_answer(tmp_path: Path) -> None:
    file = tmp_path / "approvers.toml"
    approvers.add(file, "alice")
    known = Approvers(file)
    assert known.named("alice")

    file.chmod(0o606)

    with pytest.raises(ConfigError, match="chmod o-w"):
        known.named("alice")


@pytest.mark.parametrize(("mode", "grade"), [(0o606, "failure"), (0o604, "warning"), (0o640, "ok")])
def test_doctor_says_who_else_could_answer(tmp_path: Path, mode: int, grade: str) -> None:
    file = tmp_path / "approvers.toml"
    approvers.add(file, "alice", may=(Right.ANSWER, Right.HALT))
    file.chmod(mode)

    (found,) = configuration(Settings.load(approvers_file=file, analyzers=()), None)

    assert (found.what, found.grade) == ("approvers file", grade)
