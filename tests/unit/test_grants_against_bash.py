"""Whatever a grant for ``git push`` and one for ``rm -rf build/a`` cover, bash runs nothing else for it."""

from __future__ import annotations

import posixpath
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.policy.grants import Grant, Remember
from guardtier.policy.terms import Terms
from guardtier_workers.grants.drafting import Approval, draft
from guardtier_workers.grants.remembered import fitting

BASH = shutil.which("bash")
RATED = Assessment(risk=SecurityRisk.HIGH)
#: Writes down how it is called: how many arguments, its name, the arguments.
STUB = '#!/bin/sh\nprintf "%s\\0" "$#" "${0##*/}" "$@" >> "$LOG"\n'

COVERED = [
    "git push",
    "rm -rf build/b",
    "git push && rm -rf build/b",
    "rm -rf 'build/b c'; git push",
    "git push\nrm -rf build/b/c\n",
]
PIECES = [
    "&&", ";", "|", "||", "&", "\n", "$(", ")", "`", "'", '"', "\\", "\\\n", ">", "<", "<<", "#", "{", "}",
    "*", "!", "=", "$x", "~", "(", "\t", "[", "]", "\r", "\x0b", "\u00a0", "^", "%", ":", "/", "..", "/..",
    "-", " x", "cd ", " git push", "; x", "rm -rf build/b", "x=", "sh -c ", ",", "@", "+",
]  # fmt: skip
HARMLESS = [" ", "  ", "\n", "/", "b", "_", "./", "\\\n", "\t"]


@st.composite
def lines(drawn: st.DrawFn) -> str:
    """A line that is covered, with some pieces put in anywhere."""
    line: str = drawn(st.sampled_from(COVERED))
    for _ in range(drawn(st.integers(0, 3))):
        at = drawn(st.integers(0, len(line)))
        line = line[:at] + drawn(st.sampled_from(HARMLESS) | st.sampled_from(PIECES)) + line[at:]
    return line


def grants() -> list[Grant]:
    return [
        draft(Remember(pattern="command"), Approval(action(line), RATED, Terms(), ("alice",), 0))
        for line in ("git push", "rm -rf build/a")
    ]


def action(line: str) -> ActionEvent:
    return ActionEvent(fleet="web", agent="coder", tool_name="terminal", arguments={"command": line})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs that only write down how they were called."""
    folder = tmp_path_factory.mktemp("bash")
    (folder / "bin").mkdir()
    for name in ("git", "rm", "echo", "x", "sh", "push"):
        stub = folder / "bin" / name
        stub.write_text(STUB)
        stub.chmod(0o755)
    (folder / "work").mkdir()
    return folder


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=lines())
@example(line="git push && rm -rf build/b; git push\nrm -rf 'build/b c'")
@example(line="git push\r")
@example(line="git push &&")
@example(line="git push\n\r")
@example(line="\n\rgit push")
@example(line="git push\n\rgit push")
@example(line="rm -rf build/b\\\n/../../x")
def test_bash_runs_nothing_that_is_not_granted(bench: Path, line: str) -> None:
    if not fitting(grants(), action(line), RATED):
        return
    for words in ran(bench, line):
        if words != ["git", "push"]:
            program, option, path = words
            assert (program, option) == ("rm", "-rf")
            assert posixpath.normpath(path).startswith("build/")
    assert list((bench / "work").iterdir()) == []


def ran(bench: Path, line: str) -> list[list[str]]:
    """The calls that bash makes for a line."""
    log = bench / "log"
    log.write_text("")
    env = {"PATH": str(bench / "bin"), "LOG": str(log), "x": "sh"}
    done = subprocess.run(
        [str(BASH), "-c", line], cwd=bench / "work", env=env, capture_output=True, timeout=60, check=False
    )
    assert done.stderr == b"", line
    said = log.read_bytes().decode().split("\0")[:-1]
    calls: list[list[str]] = []
    while said:
        end = 2 + int(said[0])
        calls.append(said[1:end])
        said = said[end:]
    return calls
