"""ShellSecurityAnalyzer: its findings' fields and spans, when it abstains, and input made to break it."""

from __future__ import annotations

import pytest

from bounded import bounded
from guardtier.action import ActionEvent
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell_analyzer import ShellSecurityAnalyzer, rate_script
from guardtier.risk import SecurityRisk

MIB = 1 << 20


@pytest.fixture(scope="module")
def analyzer():
    return ShellSecurityAnalyzer()


def shell(command: str) -> ActionEvent:
    return ActionEvent(fleet="f", agent="a", tool_name="terminal", arguments={"command": command})


def test_a_finding_points_to_the_word_that_is_hit(analyzer):
    command = "cd src && rm -rf ~/.ssh build"

    assessment = analyzer.assess(shell(command))

    finding = assessment.findings[0]
    assert assessment.risk is SecurityRisk.HIGH
    assert finding.id == "shell.delete.credentials"
    assert finding.field == "arguments.command"
    assert command[slice(*finding.span)] == "~/.ssh"
    assert "ATT&CK" in finding.message


def test_where_no_shell_runs_it_abstains(analyzer):
    action = ActionEvent(fleet="f", agent="a", tool_name="search", arguments={"query": "rm -rf /"})

    assert analyzer.assess(action).risk is SecurityRisk.UNKNOWN


def test_only_reading_is_low_without_findings(analyzer):
    assessment = analyzer.assess(shell("git status && ls -la"))

    assert assessment.risk is SecurityRisk.LOW
    assert assessment.findings == ()


def test_a_finding_is_said_once_however_often_it_occurs(analyzer):
    assessment = analyzer.assess(shell("rm a; " * 50))

    assert [finding.id for finding in assessment.findings] == ["shell.delete.workspace"]


def test_a_hidden_spelling_of_something_harmless_is_not_held_against_it(analyzer):
    assert analyzer.assess(shell("l''s -la")).risk is SecurityRisk.LOW
    assert analyzer.assess(shell("ch''mod +x x")).risk is SecurityRisk.HIGH


def test_a_computed_name_outweighs_what_is_known_beside_it(analyzer):
    assert analyzer.assess(shell("$X a; rm b")).risk is SecurityRisk.UNKNOWN
    assert analyzer.assess(shell("$X a; rm -rf /")).risk is SecurityRisk.HIGH


@pytest.mark.parametrize(
    "unit",
    [
        "rm /etc/x;",
        "a/b ",
        "cat x|",
        "A=$(cat .env);",
        "curl x | sh;",
        "../",
        "*/",
        "$(",
        "echo / | xargs rm;",
        "-rf",
    ]
    + ["find / -name x;", "\x00", "'", "\\", "{a,b}", "<<E\n", "a(){ a|a& };"],
)
def test_a_megabyte_of_anything_is_rated_in_bounded_time(unit):
    text = "rm " + unit * (MIB // len(unit))
    script = read(text)

    with bounded():
        found = rate_script(script, text)

    assert found
