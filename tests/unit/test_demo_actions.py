"""The demo's tool calls are what ``demo/__init__.py`` says, and the default settings park 12."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from guardtier import ActionEvent
from guardtier.analyzers.registry import ensemble
from guardtier.settings import Settings

LINES = (files("guardtier_workers.demo") / "actions.jsonl").read_text("utf-8").splitlines()


def tool_calls() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LINES]


def action_of(line: dict[str, Any]) -> ActionEvent:
    return ActionEvent.from_value({key: line[key] for key in line if key != "answer"})


def test_there_are_48_of_four_agents_in_two_fleets_in_mixed_order():
    calls = tool_calls()

    assert len(calls) == 48
    assert {(call["fleet"], call["agent"]) for call in calls} == {
        ("web", "coder"),
        ("web", "reviewer"),
        ("data", "analyst"),
        ("data", "ops"),
    }
    assert {call["fleet"] for call in calls[:4]} == {"web", "data"}


@pytest.mark.parametrize("line", range(48))
def test_each_is_an_action_that_survives_the_wire(line: int):
    action = action_of(tool_calls()[line])

    assert ActionEvent.from_json(action.to_json()) == action


async def test_exactly_those_with_an_answer_are_parked():
    settings = Settings.load()
    analyzers = ensemble(settings.analyzers, time_limit=settings.analyzer_seconds)

    for call in tool_calls():
        action = action_of(call)
        assessment = await analyzers.assess(action)
        parked = settings.policy_of(action.fleet).should_confirm(assessment.risk)
        assert parked == ("answer" in call), action.arguments


def test_the_approver_approves_5_edits_1_rejects_4_and_leaves_2():
    answers = [call["answer"] for call in tool_calls() if "answer" in call]

    assert Counter(answer["do"] for answer in answers) == {"approve": 5, "edit": 1, "reject": 4, "leave": 2}
    assert all(answer["reason"] for answer in answers if answer["do"] == "reject")
