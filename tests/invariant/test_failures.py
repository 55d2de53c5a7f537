"""What the engine can't answer is UNKNOWN, in time; what it was told goes nowhere."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rules import MakeAnalyzer, call, command, on

from guardtier import Assessment, SecurityRisk
from guardtier.analyzers.base import ABSTAINS
from guardtier.analyzers.invariant.analyzer import InvariantAnalyzer
from guardtier.errors import ConfigError
from waiting import gone, until_sync

HIGH, UNKNOWN = SecurityRisk.HIGH, SecurityRisk.UNKNOWN
RM = on("rm", '"no"')
#: It can't match, and Python tries every way to: for years.
BACKTRACKS = """
raise "no" if:
    (call: ToolCall)
    call is tool:terminal
    match("(a+)+$", call.function.arguments.command)
"""
STUCK = "a" * 60 + "!"


def is_unknown(assessment: Assessment, what: str, says: str) -> None:
    assert assessment.risk is UNKNOWN
    assert [one.id for one in assessment.findings] == [f"invariant.{what}"]
    assert assessment.findings[0].risk is UNKNOWN
    assert says in assessment.findings[0].message


def engine_of(one: InvariantAnalyzer) -> psutil.Process:
    """The process that this analyzer has started."""
    return psutil.Process(one._engine._process.pid)


def test_a_rule_that_fails_is_unknown_and_says_which(analyzer: MakeAnalyzer) -> None:
    rules = """
raise "no" if:
    (call: ToolCall)
    "x" in call.function.arguments.path
"""
    is_unknown(
        analyzer(rules).assess(command("ls")), "failed", "Rule 1 of the Invariant policy (line 2) failed"
    )


def test_the_high_of_other_rules_stands_beside_one_that_fails(analyzer: MakeAnalyzer) -> None:
    rules = """
raise "a path" if:
    (call: ToolCall)
    "x" in call.function.arguments.path
"""
    assessment = analyzer(rules + RM).assess(command("rm x"))

    assert assessment.risk is HIGH
    assert [one.id for one in assessment.findings] == ["invariant.rule", "invariant.failed"]


def test_a_detector_that_is_not_installed_is_unknown(analyzer: MakeAnalyzer) -> None:
    rules = """
from invariant.detectors import pii
raise "no" if:
    (call: ToolCall)
    any(pii(call.function.arguments.command))
"""
    is_unknown(analyzer(rules).assess(command("ls")), "failed", "missing dependencies")


def test_a_rule_beyond_its_evaluations_is_unknown(analyzer: MakeAnalyzer) -> None:
    is_unknown(analyzer(RM, evaluations=1).assess(command("ls")), "failed", "cycles exceeded")


def test_the_engine_is_killed_at_the_deadline_and_comes_back(analyzer: MakeAnalyzer) -> None:
    one = analyzer(BACKTRACKS, seconds=0.3)
    before = engine_of(one)

    is_unknown(one.assess(command(STUCK)), "late", "longer than 0.3 s")

    assert gone(before.pid)
    until_sync(lambda: one.assess(command("ls")) is ABSTAINS, 90.0)
    assert one.assess(command("aaa")).risk is HIGH


def test_who_waits_for_a_busy_engine_is_unknown_in_time(analyzer: MakeAnalyzer) -> None:
    one = analyzer(BACKTRACKS, seconds=0.4)
    until_sync(lambda: one.assess(command("ls")) is ABSTAINS, 90.0)
    found: list[Assessment] = []
    threads = [threading.Thread(target=lambda: found.append(one.assess(command(STUCK)))) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)

    assert [(one.risk, one.findings[0].id) for one in found] == [(UNKNOWN, "invariant.late")] * 6


def test_an_engine_that_dies_is_unknown_and_comes_back(analyzer: MakeAnalyzer) -> None:
    rules = """
import os
raise "no" if:
    (call: ToolCall)
    call is tool:exit
    os._exit(call.function.arguments.code)
"""
    one = analyzer(rules)

    is_unknown(one.assess(call("exit", code=3)), "failed", "its process ended")
    assert one.assess(command("ls")) is ABSTAINS
    engine_of(one).kill()
    until_sync(lambda: one.assess(command("ls")) is ABSTAINS, 90.0)


def test_memory_has_a_bound(analyzer: MakeAnalyzer) -> None:
    rules = """
raise "no" if:
    (call: ToolCall)
    call is tool:terminal
    len("x" * 9000000000) == 1
"""
    is_unknown(analyzer(rules).assess(command("ls")), "failed", "MemoryError")


def test_a_question_ends_the_engine_though_nobody_is_left(analyzer: MakeAnalyzer) -> None:
    one = analyzer(BACKTRACKS, seconds=1.0)
    one._engine._write({"past": [], "pending": [_message(STUCK)]})

    until_sync(lambda: gone(engine_of(one).pid), 90.0)


def test_closing_it_ends_its_process(tmp_path: Path) -> None:
    (tmp_path / "rules.iv").write_text(RM)
    one = InvariantAnalyzer(policy=str(tmp_path / "rules.iv"))
    process = engine_of(one)

    one.close()

    assert gone(process.pid)
    is_unknown(one.assess(command("ls")), "failed", "the worker ends")


def test_the_engine_ends_with_whoever_started_it(tmp_path: Path) -> None:
    (tmp_path / "rules.iv").write_text(RM)
    program = (
        "import os, signal, sys\n"
        "from guardtier.analyzers.invariant.analyzer import InvariantAnalyzer\n"
        "one = InvariantAnalyzer(policy=sys.argv[1])\n"
        "print(one._engine._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "rules.iv")]
    engine = int(subprocess.run(argv, stdout=subprocess.PIPE, check=False).stdout)

    until_sync(lambda: gone(engine), 90.0)


# -- nothing leaves ------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who would hear it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def heard(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_no_trace_is_sent_to_the_engines_maker(
    analyzer: MakeAnalyzer, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_POLICY", "0")
    monkeypatch.setenv("INVARIANT_API_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("INVARIANT_API_KEY", "key")

    assert analyzer(RM, start_seconds=31.0).assess(command("rm x")).risk is HIGH
    assert not heard(listener)


def test_a_rule_has_no_network(
    analyzer: MakeAnalyzer, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listener.getsockname()[1]
    rules = f"""
import socket
raise "no" if:
    (call: ToolCall)
    call is tool:terminal
    socket.create_connection(["127.0.0.1", {port}]) == 1
"""
    model = """
from invariant.detectors import moderated
raise "no" if:
    (call: ToolCall)
    moderated(call.function.arguments.command, model="OpenAI")
"""
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}")

    is_unknown(analyzer(rules).assess(command("ls")), "failed", "a policy has no network here")
    assert analyzer(model).assess(command("ls")).risk is UNKNOWN
    assert not heard(listener)


def test_the_tiers_own_settings_are_not_shown_to_a_policy(
    analyzer: MakeAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDTIER_REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    one = analyzer(RM, start_seconds=32.0)

    assert not [name for name in engine_of(one).environ() if name.startswith("GUARDTIER_")]


# -- policies that can't be used -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ('# first\nraise "no" if:\n    (call: ToolCall\n    foo\n', ":4:5: No terminal matches"),
        (
            'raise "no" if:\n    (call: ToolCall)\n    frob(call)\n',
            ":3:5: Failed to resolve identifier frob",
        ),
        (
            'raise "no" if:\n    (call: ToolCal)\n    call is tool:x\n',
            ":2:6: Failed to resolve type ToolCal",
        ),
        ('from nowhere import x\nraise "no" if:\n    x(1)\n', "Module 'nowhere' could not be resolved"),
        ("# nothing\n", "it has no rule"),
    ],
)
def test_a_policy_that_is_no_good_is_refused_with_its_position(
    analyzer: MakeAnalyzer, rules: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=r"rules\.iv") as refused:
        analyzer(rules)

    assert says in refused.value.message
    assert refused.value.field == "policy"


def _message(text: str) -> dict[str, object]:
    function = {"name": "terminal", "arguments": {"command": text}}
    return {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]}
