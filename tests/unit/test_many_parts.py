"""An action of thousands of commands, statements, paths or addresses: HIGH, and nothing stands still.

A list of them that filled a megabyte took an analyzer worker one to five seconds.
"""

from __future__ import annotations

from typing import Any

import pytest

from bounded import bounded
from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import MAX_FINDINGS, Finding
from guardtier.settings import Settings
from guardtier_workers.targets import TargetsUnknown, targets_of

MANY = 5000
SHAPES = {
    "sql.too_many": ("sql", "query", "select a{}"),
    "shell.too_many": ("terminal", "commands", "ls a{}"),
    "file.too_many": ("read_file", "paths", "a{}.txt"),
    "http.too_many": ("fetch", "urls", "https://a.example/{}"),
}


def of_many(rule: str, count: int) -> ActionEvent:
    tool, name, item = SHAPES[rule]
    values = [item.format(number) for number in range(count)]
    return ActionEvent(fleet="web", agent="a", tool_name=tool, arguments={name: values})


def rated(action: ActionEvent) -> Assessment:
    with bounded():
        found = ensemble(Settings().analyzers, time_limit=60).assess_cheaply(action)
    assert found is not None
    return found


@pytest.mark.parametrize("rule", SHAPES)
def test_more_than_are_read_are_high(rule: str) -> None:
    assessment = rated(of_many(rule, MANY))

    assert assessment.risk is SecurityRisk.HIGH
    assert [finding.id for finding in assessment.findings] == [rule]


@pytest.mark.parametrize("rule", SHAPES)
def test_some_hundred_are_read(rule: str) -> None:
    assert rated(of_many(rule, 300)).findings == ()


@pytest.mark.parametrize("separator", ["; ", "\n", " | "])
def test_nor_are_more_commands_of_one_text(separator: str) -> None:
    """2,500 were read: a megabyte of curl with long options took twice the 100 ms that it may."""
    action = ActionEvent(
        fleet="web",
        agent="a",
        tool_name="terminal",
        arguments={"command": separator.join(f"ls a{number}" for number in range(1_200))},
    )

    assert [finding.id for finding in rated(action).findings] == ["shell.too_deep"]


@pytest.mark.parametrize("rule", ["shell.too_many", "file.too_many", "http.too_many"])
def test_a_rule_that_asks_for_targets_is_not_told_some_of_them(rule: str) -> None:
    """The same target a thousand times, which are few to be told apart, and another behind them."""
    tool, name, item = SHAPES[rule]
    values: Any = [*[item.format("")] * MANY, "rm /srv/prod"]
    action = ActionEvent(fleet="web", agent="a", tool_name=tool, arguments={name: values})

    with pytest.raises(TargetsUnknown):
        targets_of(action, ())()


def test_nor_where_a_command_is_too_deep_to_be_read() -> None:
    command = "eval " * 100 + "rm /srv/prod"
    action = ActionEvent(fleet="web", agent="a", tool_name="terminal", arguments={"command": command})

    with pytest.raises(TargetsUnknown):
        targets_of(action, ())()


@pytest.mark.parametrize(
    "findings",
    [
        ("python.obscured.size",),
        ("sql.too_many",),
        ("python.unparsed",),
        ("python.delete.system",) * MAX_FINDINGS,
    ],
    ids=["not read", "not all read", "not understood", "not all kept"],
)
def test_nor_where_findings_do_not_say_all(findings: tuple[str, ...]) -> None:
    said = [Finding(id=one, risk=SecurityRisk.HIGH, message="Deletes a: /tmp/x.") for one in findings]
    action = ActionEvent(fleet="web", agent="a", tool_name="python", arguments={"code": "x"})

    with pytest.raises(TargetsUnknown):
        targets_of(action, said)()


@pytest.mark.parametrize(
    ("tool", "name", "item", "rule"),
    [
        ("execute_ruby", "code", 'system("ls a{}")\n', "shell.too_deep"),
        ("execute_javascript", "code", "execSync('ls a{}');\n", "shell.too_deep"),
        ("execute_javascript", "code", 'spawn("ls", ["a{}"]);\n', "shell.too_deep"),
        ("write_file", "content", "execSync('ls a{}');\n", "file.too_many"),
    ],
)
def test_thousands_of_commands_in_other_code_are_high(tool: str, name: str, item: str, rule: str) -> None:
    code = "".join(item.format(number) for number in range(3_000))
    arguments = {"path": "a.js", name: code} if tool == "write_file" else {name: code}

    assessment = rated(ActionEvent(fleet="web", agent="a", tool_name=tool, arguments=arguments))

    assert assessment.risk is SecurityRisk.HIGH
    assert rule in [finding.id for finding in assessment.findings]


@pytest.mark.parametrize("tool", ["execute_javascript", "execute_ruby", "execute_php"])
@pytest.mark.parametrize("between", ["", "\nGUARDTIER_END_OF_CODE\n"], ids=["plain", "with the mark"])
def test_code_of_many_quotes_is_read_to_its_end(tool: str, between: str) -> None:
    """It is rated as a program's input: quoted once more, it would be five times as long."""
    code = "x = 'a'\n" * 2_000 + between + 'system("rm -rf /etc")\nexec("rm -rf /etc")'
    action = ActionEvent(fleet="web", agent="a", tool_name=tool, arguments={"code": code})

    assert rated(action).risk is SecurityRisk.HIGH
    harmless = action.model_copy(update={"arguments": {"code": "x = 'a'\n" * 2_000}})
    assert rated(harmless).risk is SecurityRisk.MEDIUM
