"""make compare, make compare-approvals: how rows and votes are mapped, and what the tables say."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from eval import approvals, comparison
from eval.comparison import Pass

EVAL = Path(__file__).parents[1] / "eval"
RIVALS = EVAL / "rivals"
TOLD = {  # what the tables call them, and the index
    "Agent Governance Toolkit": "agent-governance-toolkit-core",
    "nah": "nah",
    "LangGraph": "langgraph",
    "OpenAI Agents": "openai-agents",
}


@pytest.fixture
def side(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the sides share. They find it beside themselves, in the Pythons that run them."""
    monkeypatch.syspath_prepend(RIVALS)
    return importlib.import_module("side")


def test_code_is_a_command_to_who_reads_commands_alone(side: ModuleType) -> None:
    assert side.command_of({"arguments": {"command": "ls -l"}}) == "ls -l"
    assert side.command_of({"arguments": {"code": "print(1)"}}) == "python3 -c 'print(1)'"


@pytest.mark.parametrize(
    ("expect", "hits"),
    [("FLAG", ["FLAGGED", "PARKED"]), ("HIGH", ["PARKED"]), ("ANY", ["PARKED"]), ("LOW", ["PARKED"])],
)
def test_flagged_is_enough_for_what_must_be_flagged_alone(
    side: ModuleType, expect: str, hits: list[str]
) -> None:
    assert [vote.name for vote in side.Vote if side.hit(expect, vote)] == hits


def test_a_pass_counts_each_expectation_by_itself(side: ModuleType) -> None:
    votes = {"rm": side.Vote.PARKED, "curl": side.Vote.FLAGGED, "ls": side.Vote.PASSED}
    calls = [("HIGH", "rm"), ("HIGH", "ls"), ("FLAG", "curl"), ("LOW", "ls")]

    said = side.one_pass(calls, votes.__getitem__)

    assert said["hits"] == {"HIGH": [1, 2], "FLAG": [1, 1], "LOW": [0, 1]}
    assert len(said["us"]) == len(calls)


@pytest.mark.parametrize(
    ("dangerous", "category", "vote"),
    [
        (True, "system_modification", "PARKED"),
        (False, "network_access", "FLAGGED"),
        (False, "privilege_escalation", "FLAGGED"),  # below its threshold
        (False, "data_read", "PASSED"),
        (False, "benign", "PASSED"),
    ],
)
@pytest.mark.usefixtures("side")
def test_what_the_toolkit_says_of_an_intent(dangerous: bool, category: str, vote: str) -> None:
    assert importlib.import_module("agt_side").vote_of(dangerous, category).name == vote


@pytest.mark.parametrize(
    ("decision", "reason", "votes"),
    [
        ("allow", "", ("PASSED", "PASSED")),
        ("ask", "unknown → ask", ("PARKED", "PARKED")),
        ("ask", "script not found: ~/build.py", ("PARKED", "PASSED")),
        ("block", "unbalanced substitution", ("PARKED", "PARKED")),
    ],
)
@pytest.mark.usefixtures("side")
def test_what_nah_says(decision: str, reason: str, votes: tuple[str, str]) -> None:
    nah = importlib.import_module("nah_side")

    assert tuple(nah.vote_of(decision, reason, trusts).name for trusts in (False, True)) == votes


def test_a_table_has_a_line_a_side_and_each_row_at_its_best() -> None:
    hits = {"FLAG": (1, 4), "HIGH": (2, 2)}
    ours = [Pass(hits, [30, 10]), Pass(hits, [20, 50])]

    head, theirs, own = comparison.lines("set", {"theirs": [], "guardtier": ours})

    assert head.split() == ["set", "HIGH", "(2)", "FLAG", "(4)", "µs:", "median", "/", "mean", "/", "p99"]
    assert theirs.split(maxsplit=1) == ["theirs", "could not be measured"]
    assert own.split() == ["guardtier", "100.0%", "25.0%", "15", "/", "15", "/", "20"]


@pytest.mark.parametrize("program", ["raise SystemExit(1)", "input(); raise SystemExit(1)"])
def test_a_side_that_ends_gives_no_passes(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.syspath_prepend(EVAL)
    compare = importlib.import_module("compare")

    with compare.Side([sys.executable, "-c", program]) as side:
        assert [*side.one_pass(), *side.one_pass()] == []


def test_answers_are_told_by_question_with_what_differed() -> None:
    sides = {
        "LangGraph": [{"ms": {"memory": one}, "answers": {"died?": "ran"}} for one in (1.0, 3.0, 2.0)],
        "guardtier": [{"ms": {}, "answers": {"died?": said}} for said in ("ran", "did not")],
    }

    assert [line.strip() for line in approvals.told(sides)] == [
        "ms from the yes to the tool, memory",
        "LangGraph               2.00 (1.00 to 3.00)",
        "",
        "died?",
        "LangGraph               ran",
        "guardtier               ran / did not",
    ]


def test_the_versions_that_are_told_are_pinned() -> None:
    names = "".join((EVAL / name).read_text(encoding="utf-8") for name in ("compare.py", "approvals.py"))
    pinned = "".join(file.read_text(encoding="utf-8") for file in RIVALS.glob("requirements-*.txt"))
    told = set(re.findall(r'^    "([^"]+?) (\d+\.\d+\.\d+)', names, re.MULTILINE))

    assert {name for name, _ in told} == set(TOLD)
    assert [(name, version) for name, version in told if f"{TOLD[name]}=={version}\n" not in pinned] == []
