"""The demo's tool calls are what ``demo/__init__.py`` says. The default settings would park 14 of them."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from guardtier import ActionEvent
from guardtier.analyzers.registry import ensemble
from guardtier.policy.file import PolicyFile
from guardtier.settings import Settings
from guardtier_workers.demo.run import FLEETS, POLICY
from rulings import facts, parked

LINES = (files("guardtier_workers.demo") / "actions.jsonl").read_text("utf-8").splitlines()


def tool_calls() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LINES]


def action_of(line: dict[str, Any]) -> ActionEvent:
    return ActionEvent.from_value({key: line[key] for key in line if key not in ("answer", "by")})


def test_there_are_50_of_four_agents_in_two_fleets_in_mixed_order():
    calls = tool_calls()

    assert len(calls) == 50
    assert {(call["fleet"], call["agent"]) for call in calls} == {
        ("web", "coder"),
        ("web", "reviewer"),
        ("data", "analyst"),
        ("data", "ops"),
    }
    assert {call["fleet"] for call in calls[:4]} == {"web", "data"}


@pytest.mark.parametrize("line", range(50))
def test_each_is_an_action_that_survives_the_wire(line: int):
    action = action_of(tool_calls()[line])

    assert ActionEvent.from_json(action.to_json()) == action


async def test_exactly_those_that_somebody_decides_would_be_parked():
    settings = Settings.load()
    analyzers = ensemble(settings.analyzers, time_limit=settings.analyzer_seconds)

    for call in tool_calls():
        action = action_of(call)
        assessment = await analyzers.assess(action)
        parked = settings.policy_of(action.fleet).should_confirm(assessment.risk)
        assert parked == ("answer" in call or "by" in call), action.arguments


def test_the_approvers_approve_6_reject_3_edit_1_and_leave_2():
    answers = [call["answer"] for call in tool_calls() if "answer" in call]

    assert Counter(answer["do"] for answer in answers) == {"approve": 6, "reject": 3, "edit": 1, "leave": 2}
    assert all(answer["reason"] for answer in answers if answer["do"] == "reject")


async def test_a_slow_machine_answers_in_time_what_is_answered_and_waits_for_what_is_left():
    settings = Settings.load()
    analyzers = ensemble(settings.analyzers, time_limit=settings.analyzer_seconds)
    policy = PolicyFile.parse(POLICY.read_text("utf-8"), name=POLICY.name).compiled()

    for call in tool_calls():
        if "answer" in call:
            action = action_of(call)
            assessment = await analyzers.assess(action)
            found = tuple(finding.id for finding in assessment.findings)
            who = {"fleet": action.fleet, "agent": action.agent, "tool": action.tool_name}
            given = facts(**who, conversation=action.conversation, risk=assessment.risk, findings=found)
            ruling = policy.rule(given, parked, "demo")
            seconds = ruling.terms.time_limit or FLEETS[action.fleet]["park_seconds"]
            assert seconds == (4 if call["answer"]["do"] == "leave" else 60), action.arguments
