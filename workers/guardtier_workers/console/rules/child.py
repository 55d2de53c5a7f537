"""The process that reads a policy file's text: what somebody writes there stalls nobody but itself.

It gets a :class:`Task` on its standard input and prints what it found as JSON. It is told no secret but
those of the analyzers that rate the file's tests, and holds no connection.
"""

from __future__ import annotations

import os
import pickle
import resource
import sys
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import TYPE_CHECKING, Any

from guardtier.errors import ConfigError, GuardtierError
from guardtier.policy.advice import advice
from guardtier.policy.file import PolicyFile
from guardtier.policy.inline import TestResult
from guardtier_workers.console.rules.examined import Difference, Examined, TestOutcome, Wrong
from guardtier_workers.console.rules.place import place_of
from guardtier_workers.filecheck import check_channels

if TYPE_CHECKING:
    from guardtier.settings import Settings

NAME = "the file"  #: what messages call it
MEMORY_BYTES = 1024**3  #: measured: 120 MB for a file with the default analyzers
CPU_SECONDS = 25
NO_MEMORY = 3  #: how the process ends that wants more
MAX_LINES = 4_000  #: of a difference
MAX_MESSAGE = 1_900  #: characters; what goes over HTTP has 2,000

#: What the analyzers and the fleets' defaults need. No address, no key but those of analyzers.
SETTINGS = ("analyzers", "analyzer", "analyzer_seconds", "propagate_unknown", "policy", "fleets")


@dataclass(frozen=True, slots=True)
class Task:
    """``channels``: None where nobody asks whether the settings know them. ``stands``: the text to compare
    with; None: no difference is asked for.
    """

    text: str
    settings: dict[str, Any]
    channels: tuple[str, ...] | None = None
    with_tests: bool = False
    stands: str | None = None

    @classmethod
    def under(cls, settings: Settings, text: str, **asked: Any) -> Task:
        return cls(text, {name: getattr(settings, name) for name in SETTINGS}, **asked)


def examined(task: Task) -> Examined:
    """All that was asked for. What is wrong with the text is in it; nothing is raised for that."""
    try:
        file = PolicyFile.parse(task.text, name=NAME)
        if task.channels is not None:
            check_channels(file.compiled(), task.channels, NAME)
        results = _tested(task, file) if task.with_tests else []
    except ConfigError as error:
        place = place_of(error, task.text)
        return Examined(
            wrong=Wrong(
                message=error.message.removeprefix(f"{NAME}: ")[:MAX_MESSAGE],
                field=error.field,
                line=place.line,
                column=place.column,
            ),
            difference=_difference(task, None),
        )
    return Examined(
        rules=file.rule,
        fleets=file.fleet,
        test_count=len(file.test),
        tests=tuple(map(_outcome, results)),
        advice=tuple(advice(file)),
        difference=_difference(task, file),
    )


def _tested(task: Task, file: PolicyFile) -> list[TestResult]:
    if not file.test:
        return []
    from guardtier.settings import Settings  # it takes longer to load than most files to check
    from guardtier_workers.cli.policy_file import rated

    return rated(file.compiled(), Settings.model_construct(**task.settings))


def _outcome(one: TestResult) -> TestOutcome:
    ruling = one.ruling
    return TestOutcome(
        name=one.name,
        passed=one.passed,
        expect=one.expect,
        got=ruling.effect if ruling else None,
        rules=ruling.rules if ruling else (),
        wrong=one.wrong or ("" if one.passed else "it could not be run"),
    )


def _difference(task: Task, file: PolicyFile | None) -> Difference | None:
    if task.stands is None:
        return None
    before = _rules_in(task.stands)
    after = {rule.name: rule for rule in file.rule} if file else None
    found = unified_diff(task.stands.splitlines(), task.text.splitlines(), "what stands", NAME, lineterm="")
    lines = tuple(islice(found, MAX_LINES + 1))
    told = Difference(same=task.stands == task.text, lines=lines[:MAX_LINES], cut=len(lines) > MAX_LINES)
    if after is None:
        return told
    return told.model_copy(
        update={
            "added": tuple(name for name in after if name not in before),
            "removed": tuple(name for name in before if name not in after),
            "changed": tuple(name for name in after if name in before and before[name] != after[name]),
        }
    )


def _rules_in(text: str) -> dict[str, Any]:
    """The rules by their names; none of a text that can't be read."""
    try:
        return {rule.name: rule for rule in PolicyFile.parse(text).rule} if text else {}
    except GuardtierError:
        return {}


def main() -> None:
    """Bounded by the system: a text that asks for more ends this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)  # answers come first
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what an analyzer prints is no part of it
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own process at the other end)
    try:
        with told:
            told.write(examined(task).model_dump_json(by_alias=True))
    except MemoryError:
        os._exit(NO_MEMORY)  # nothing is left to end in good order with


if __name__ == "__main__":
    main()
