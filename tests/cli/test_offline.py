"""What works without a tier: check and its contract, listings, errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import END_SECONDS, Terminal, sequence
from guardtier.settings import Settings
from guardtier_workers.approvers import Right, add
from guardtier_workers.cli.checkup import configuration

LINES: list[dict[str, Any]] = [
    {"id": "a", "tool_name": "terminal", "arguments": {"command": "ls -la"}},
    {"id": "b", "tool_name": "terminal", "arguments": {"command": "rm -rf ~/.ssh"}, "summary": "tidy"},
    {
        "id": "c",
        "tool_name": "finish",
        "arguments": {},
        "thought": "done",
        "annotations": {"readOnlyHint": True},
    },
]


def test_check_says_whether_a_command_would_be_released(terminal: Terminal) -> None:
    assert terminal.run("check", "ls").code == 0

    done = terminal.run("check", "rm -rf ~/.ssh")

    assert done.code == 3
    assert "\n      rm -rf »~/.ssh«\n" in done.out


def test_check_jsonl_answers_line_by_line(terminal: Terminal) -> None:
    with terminal.running("check", "--jsonl") as rating:
        assert rating.stdin is not None
        assert rating.stdout is not None
        for line in LINES:  # the next one is sent only when this one is answered
            rating.stdin.write(sequence([line]))
            rating.stdin.flush()
            answer = json.loads(rating.stdout.readline())
            assert list(answer) == ["id", "risk", "parked", "findings", "us"]
            assert answer["id"] == line["id"]
            assert answer["parked"] is (line["id"] == "b")
        rating.stdin.close()
        assert rating.wait(END_SECONDS) == 0


def test_check_jsonl_findings_have_the_fields_of_the_contract(terminal: Terminal) -> None:
    answer = json.loads(terminal.run("check", "--jsonl", stdin=sequence(LINES[1:2])).out)

    found = answer["findings"][0]
    assert list(found) == ["id", "risk", "message", "field", "span"]
    start, end = found["span"]
    assert LINES[1]["arguments"]["command"][start:end] == "~/.ssh"


def test_check_jsonl_answers_bad_lines_in_their_place(terminal: Terminal) -> None:
    good = sequence(LINES[:1])
    bad = [
        b"no json\n",
        b'{"id": "x", "tool_name": "t"}\n',
        b'{"id": "y", "tool_name": 5, "arguments": {}}\n',
        b'{"id": "z", "tool_name": "t", "arguments": {"a": "' + b"x" * 1024 * 1024 + b'"}}\n',
        b'{"id": "n", "tool_name": "t", "arguments": {"a": ' + b"[" * 70 + b"]" * 70 + b"}}\n",
        b'{"id": "u", "tool_name": "t", "arguments": {"a": "\xff"}}\n',
    ]
    done = terminal.run("check", "--jsonl", stdin=good + b"".join(bad) + good)

    answers = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [answer["id"] for answer in answers] == ["a", None, "x", "y", None, "n", None, "a"]
    errors = [answer.get("error", {}) for answer in answers]
    assert [e.get("field") for e in errors[1:-1]] == [
        "payload",
        "arguments",
        "tool_name",
        "payload",
        "payload",
        "payload",
    ]
    assert errors[4]["limit"] == 1024 * 1024
    assert errors[5]["limit"] == 64


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["frobnicate"], 2),
        (["check"], 2),
        (["check", "ls", "--config", "/nonexistent.toml"], 2),
        (["up", "--once"], 2),
        (["pending", "--redis-url", "redis://127.0.0.1:1/0"], 4),
        (["pending", "--redis-url", "nonsense://"], 2),
        (["submit", "ls", "--redis-url", "redis://127.0.0.1:1/0"], 4),
        (["approver", "add", "no spaces please"], 2),
        (["approver", "list"], 2),
        (["approver", "rotate", "nobody"], 2),
        (["approver", "remove", "nobody"], 2),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(terminal: Terminal, args: list[str], code: int) -> None:
    done = terminal.run(*args)

    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("guardtier: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["frobnicate"], "guardtier --help"),
        (["worker", "frobnicate"], "guardtier worker --help"),
        (["policy", "set", "web", "frobnicate"], "guardtier policy set --help"),
        (["trace", "export"], "guardtier trace export --help"),
        (["trace", "frobnicate"], "guardtier trace --help"),
    ],
)
def test_a_wrong_command_line_is_told_whose_help_to_read(
    terminal: Terminal, args: list[str], hint: str
) -> None:
    said = terminal.run(*args).err

    assert said.endswith(f"; see {hint}\n")
    assert "Value error" not in said


def test_without_the_workers_libraries_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['typer'] = None; from guardtier_workers.cli import main; main(['version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    said = "guardtier: the command line needs typer: pip install 'guardtier[workers]'\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_settings_that_can_t_be_read_say_where_they_stand(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("park_seconds =\n")
    listed = terminal.run("check", "ls", GUARDTIER_ANALYZERS="shell")
    broken = terminal.run("check", "ls", "--config", str(file))
    file.write_text('analyzers = ["shell", "judge"]\n')
    judge = terminal.run("check", "ls", "--config", str(file))

    assert (listed.code, broken.code, judge.code) == (2, 2, 2)
    assert listed.err.startswith("guardtier: analyzers: GUARDTIER_ANALYZERS is no JSON: write ")
    assert broken.err.startswith(f"guardtier: the settings can't be read: {file}: ")
    assert "(at line 1" in broken.err
    assert judge.err.startswith("guardtier: analyzer 'judge': ")


def test_errors_in_json(terminal: Terminal) -> None:
    done = terminal.run("pending", "--json")

    error = json.loads(done.err)["error"]
    assert done.code == 4
    assert error["code"] == "tier_unavailable"
    assert "guardtier up" in error["message"]


EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_analyzer.toml"


def test_the_example_of_a_custom_analyzer_is_picked_up_by_its_settings_file(terminal: Terminal) -> None:
    apply = "cp web.yaml /srv/production/"
    assert len((EXAMPLE.with_suffix(".py")).read_text().splitlines()) == 15
    assert terminal.run("check", "ls", "--config", str(EXAMPLE)).code == 0

    done = terminal.run("check", "--json", apply.replace("/srv/", ""), "--config", str(EXAMPLE))

    assert (done.code, done.json["risk"]) == (3, "HIGH")


def test_check_names_who_rates_it_without_a_finding(terminal: Terminal) -> None:
    named = terminal.run("check", "mkdir production", "--config", str(EXAMPLE)).out
    unknown = terminal.run("check", "--tool", "frobnicator", "ls").out

    assert named.endswith("\n  HIGH deploy: the analyzer says so, and not why\n")
    assert unknown.endswith("\n  UNKNOWN: no analyzer can tell what this does\n")


def test_analyzers_are_listed_with_their_options(terminal: Terminal) -> None:
    rows = {
        row["name"]: row
        for row in terminal.run("analyzers", "--json", "--config", str(EXAMPLE)).json["analyzers"]
    }

    assert rows["deploy"]["options"] == [
        {"name": "targets", "type": "list[str]", "required": True, "set": ["production", "prod-eu"]}
    ]
    assert rows["deploy"]["class"].endswith("custom_analyzer.py:DeployAnalyzer")
    assert rows["deploy"]["used"]
    assert rows["deploy"]["placement"] == "inline"
    assert rows["deploy"]["says"].startswith("HIGH where an action names production")
    assert {"name": "builtin", "type": "bool", "required": False, "default": True} in rows["secrets"][
        "options"
    ]
    assert not rows["secrets"]["used"]
    text = terminal.run("analyzers", "--config", str(EXAMPLE)).out
    assert "targets: list[str] (required)" in " ".join(text.split())


def test_an_analyzer_that_can_not_be_loaded_is_listed_with_the_reason(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "tier.toml"
    file.write_text('analyzers = ["llm", "mine"]\n[analyzer.mine]\nuse = "no_such_module:Mine"\n')

    rows = {
        row["name"]: row
        for row in terminal.run("analyzers", "--json", "--config", str(file)).json["analyzers"]
    }

    assert "No module named 'no_such_module'" in rows["mine"]["says"]
    assert rows["shell"]["says"]


def test_doctor_tells_where_settings_come_from_and_who_may_change_them(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "tier.toml"
    file.write_text('redis_url = "redis://:sesame@127.0.0.1:1/0"\n')
    file.chmod(0o666)

    done = terminal.run("doctor", "--json", "--config", str(file), GUARDTIER_SHARE="3", GUARDTIER_PORT="x")

    said = json.loads(done.out)
    settings = {one["name"]: (one["value"], one["from"]) for one in said["settings"]}
    assert settings["redis_url"] == ("redis://:***@127.0.0.1:1/0", f"{file}:1")
    assert settings["share"] == (3, "GUARDTIER_SHARE")
    assert settings["concurrency"] == (64, "default")
    warnings = {one["what"]: one["says"] for one in said["checks"] if one["grade"] == "warning"}
    assert "can be written by everybody" in warnings["settings file"]
    assert "GUARDTIER_PORT sets nothing" in warnings["environment"]
    assert "sesame" not in done.out + done.err


def test_a_settings_file_of_another_user_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tier.toml"
    file.touch(0o600)
    if os.geteuid() == 0:
        os.chown(file, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)

    (found,) = [one for one in configuration(Settings.load(file), file) if one.what == "settings file"]

    assert found.grade == "warning"
    assert "belongs to another user" in found.says


def test_doctor_reads_the_approvers_file(tmp_path: Path) -> None:
    file = tmp_path / "approvers.toml"
    settings = Settings.load(approvers_file=file)

    (missing,) = [one for one in configuration(settings, None) if one.what == "approvers file"]
    add(file, "alice", may=[Right.ANSWER, Right.HALT])
    (there,) = [one for one in configuration(settings, None) if one.what == "approvers file"]

    assert (missing.grade, there.grade) == ("failure", "ok")
    assert "nobody can answer" in missing.says
    assert there.says == str(file)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["worker", "pool"], "a pool has a name"),
        (["worker", "policy", "gpu"], "a pool has a name"),
        (["worker", "pool", "gpu"], "no analyzer is placed in the pool 'gpu'"),
    ],
)
def test_a_pool_is_named_on_the_command_line(terminal: Terminal, args: list[str], says: str) -> None:
    done = terminal.run(*args)

    assert done.code == 2
    assert says in done.err


def test_listings(terminal: Terminal) -> None:
    used = {row["name"]: row["used"] for row in terminal.run("analyzers", "--json").json["analyzers"]}
    assert used["shell"]
    assert used["llm"]
    assert not used["noop"]
    assert terminal.run("version", "--json").json["guardtier"]
    assert "Exit codes" in terminal.run("--help").out
