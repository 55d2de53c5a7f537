"""guardtier policy check and test: the shipped examples, files that fail, files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Terminal

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "policies").glob("*.toml"))
FAILING = """version = 1
[[rule]]
name = "r"
outcome = "park"
target = "/srv/*"
[[test]]
name = "a \\u001b[31m test"
action = { fleet = "web", tool_name = "terminal", arguments = { command = "rm -rf /srv/prod" } }
expect = "release"
"""


def test_the_shipped_policies_pass_their_tests(terminal: Terminal) -> None:
    assert len(EXAMPLES) >= 3

    done = terminal.run("policy", "test", "--json", *map(str, EXAMPLES))

    assert done.code == 0, done.out
    assert all(len(body["tests"]) >= 10 for body in done.json["files"])
    assert all(one["passed"] for body in done.json["files"] for one in body["tests"])


def test_nothing_in_them_is_hardly_meant(terminal: Terminal) -> None:
    done = terminal.run("policy", "check", "--json", *map(str, EXAMPLES))

    assert done.code == 0
    assert [body["advice"] for body in done.json["files"]] == [[]] * len(EXAMPLES)


def test_a_test_that_fails_is_told_and_is_no_success(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(FAILING)

    done = terminal.run("policy", "test", str(file))

    assert done.code == 1
    assert "0 of 1 tests pass" in done.out
    assert "a \\x1b[31m test: expected release, got park by r" in done.out


def test_check_gives_advice(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(FAILING)

    done = terminal.run("policy", "check", str(file))

    assert done.code == 0
    assert "1 rule, 0 fleets, 1 test" in done.out
    assert "of every action of its fleets" in done.out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version = 1\nruel = 1", "did you mean 'rule'"),
        (b"\xff", "not UTF-8"),
        (None, "can't be read"),
        (b"x" * 300_000, "262,144"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_line(
    terminal: Terminal, tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "p.toml"
    if content is not None:
        file.write_bytes(content)

    done = terminal.run("policy", "check", str(file))

    assert done.code == 2
    assert says in done.err
    assert len(done.err.splitlines()) == 1
