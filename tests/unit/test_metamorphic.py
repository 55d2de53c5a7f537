"""What keeps a command's meaning keeps its rating; what only mentions a command is never parked."""

from __future__ import annotations

import shlex
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dangerous import COMPOUND, PROGRAMS, commands
from disguises import ON_ALL, ON_NAMES, ON_PROGRAMS, THAT_COMPUTE
from guardtier import ActionEvent, SecurityRisk
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.registry import ensemble
from guardtier.settings import Settings

_PROGRAMS = tuple(commands(PROGRAMS))
_ALL = (*_PROGRAMS, *commands(COMPOUND))
_PARKED = frozenset({SecurityRisk.HIGH, SecurityRisk.UNKNOWN})
_STRENGTH = {SecurityRisk.LOW: 0, SecurityRisk.MEDIUM: 1, SecurityRisk.UNKNOWN: 2, SecurityRisk.HIGH: 3}

#: Disguises that are not seen through yet, and why. Strict: one that is must leave this list.
KNOWN_GAPS: dict[str, str] = {}


@cache
def tier() -> EnsembleSecurityAnalyzer:
    return ensemble(Settings().analyzers, time_limit=5)


def rating(tool_name: str = "terminal", **fields: Any) -> SecurityRisk:
    action = ActionEvent(fleet="web", agent="coder", tool_name=tool_name, **fields)
    found = tier().assess_cheaply(action)
    assert found is not None
    return found.risk


def of_command(text: str) -> SecurityRisk:
    return rating(arguments={"command": text})


def drops(command: str, disguised: str) -> bool:
    return _STRENGTH[of_command(disguised)] < _STRENGTH[of_command(command)]


def disguises(*groups: dict[str, Any]) -> list[Any]:
    found = [(name, disguise) for group in groups for name, disguise in group.items()]
    return [pytest.param(disguise, id=name, marks=_marks_of(name)) for name, disguise in found]


def _marks_of(name: str) -> list[Any]:
    reason = KNOWN_GAPS.get(name)
    return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []


@pytest.mark.parametrize("command", _ALL)
def test_each_dangerous_command_is_high_as_it_stands(command: str):
    assert of_command(command) is SecurityRisk.HIGH


@pytest.mark.parametrize("disguise", disguises(ON_PROGRAMS, ON_NAMES))
def test_a_program_in_disguise_is_rated_no_lower(disguise: Any):
    assert [command for command in _PROGRAMS if drops(command, disguise(command))] == []


@pytest.mark.parametrize("disguise", disguises(ON_ALL))
def test_a_text_in_disguise_is_rated_no_lower(disguise: Any):
    assert [command for command in _ALL if drops(command, disguise(command))] == []


@pytest.mark.parametrize("disguise", disguises(THAT_COMPUTE))
def test_a_name_that_only_a_shell_can_tell_is_parked(disguise: Any):
    assert [command for command in _PROGRAMS if of_command(disguise(command)) not in _PARKED] == []


_SEEN_THROUGH = {
    name: disguise
    for name, disguise in {**ON_PROGRAMS, **ON_NAMES, **ON_ALL}.items()
    if name not in KNOWN_GAPS
}
#: These take a program with its arguments, so they come first.
_INNER = sorted({*ON_PROGRAMS, *ON_NAMES} & _SEEN_THROUGH.keys())
_OUTER = sorted(ON_ALL.keys() & _SEEN_THROUGH.keys())


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    command=st.sampled_from(_PROGRAMS),
    inner=st.sampled_from(_INNER),
    outer=st.lists(st.sampled_from(_OUTER), min_size=1, max_size=2),
)
def test_disguises_of_disguises_are_rated_no_lower(command: str, inner: str, outer: list[str]):
    text = _SEEN_THROUGH[inner](command)
    for name in outer:
        text = _SEEN_THROUGH[name](text)

    assert of_command(text) in _PARKED


_MENTIONS = {
    "echo": lambda text: f"echo {shlex.quote(text)}",
    "echo to a note": lambda text: f"echo {shlex.quote(text)} >> NOTES.md",
    "printf": lambda text: f"printf '%s\\n' {shlex.quote(text)}",
    "grep": lambda text: f"grep -rnF {shlex.quote(text)} docs/",
    "grep -e": lambda text: f"grep -r -e {shlex.quote(text)} .",
    "rg": lambda text: f"rg {shlex.quote(text)} src",
    "git grep": lambda text: f"git grep {shlex.quote(text)}",
    "git commit": lambda text: f"git commit -m {shlex.quote('docs: never run ' + text)}",
    "git log": lambda text: f"git log --grep={shlex.quote(text)}",
    "comment": lambda text: f"ls # {text}" if "\n" not in text else "ls",
    "comment line": lambda text: f"# never run {text}\nls",
    "here-document into a document": lambda text: f"cat > notes.md <<'EOF'\n{text}\nEOF",
    "no-op": lambda text: f": {shlex.quote(text)}",
    "test": lambda text: f"[ {shlex.quote(text)} = x ] && echo same",
    "variable": lambda text: f"note={shlex.quote(text)}",
    "issue": lambda text: f"gh issue create --title x --body {shlex.quote(text)}",
    "python print": lambda text: f"python3 -c {shlex.quote(f'print({text!r})')}",
    "jq": lambda text: f"jq --arg note {shlex.quote(text)} . x.json",
    "awk variable": lambda text: f"awk -v note={shlex.quote(text)} '{{print note}}' x",
    "which": lambda text: f"which {shlex.quote(text.split()[0])}",
}


@pytest.mark.parametrize("place", [pytest.param(place, id=name) for name, place in _MENTIONS.items()])
def test_a_command_that_is_only_mentioned_is_not_parked(place: Any):
    assert [text for text in _ALL if of_command(place(text)) in _PARKED] == []


_CARRIERS: dict[str, Any] = {
    "thought": lambda text: rating(arguments={"command": "ls"}, thought=text),
    "summary": lambda text: rating(arguments={"command": "ls"}, summary=text),
    "document": lambda text: rating("write_file", arguments={"path": "docs/notes.md", "content": text}),
    "text file": lambda text: rating("write_file", arguments={"path": "notes.txt", "content": text}),
    "edit of a document": lambda text: rating(
        "str_replace_editor",
        arguments={
            "command": "str_replace",
            "path": "README.md",
            "old_str": text,
            "new_str": f"Never: {text}",
        },
    ),
    "search": lambda text: rating("grep_search", arguments={"query": text, "path": "src"}),
    "note": lambda text: rating("think", arguments={"thought": text}),
    "Python string": lambda text: rating("python", arguments={"code": f"text = {text!r}\nprint(text)\n"}),
    "Python comment": lambda text: rating("python", arguments={"code": f"x = 1  # {text}\n"}),
}


@pytest.mark.parametrize("carrier", [pytest.param(one, id=name) for name, one in _CARRIERS.items()])
def test_a_command_that_some_field_merely_holds_is_not_parked(carrier: Any):
    assert [text for text in _ALL if carrier(text) in _PARKED] == []


@example("rm -rf /")
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(_ALL))
def test_the_same_text_is_rated_the_same_twice(command: str):
    assert of_command(command) is of_command(command)
