"""Bad input and large input: an answer in time that grows with the length, and never an exception."""

from __future__ import annotations

import random
from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounded import bounded
from guardtier import ActionEvent, Assessment
from guardtier.analyzers.text import (
    InjectionAnalyzer,
    PatternSecurityAnalyzer,
    PolicyRailSecurityAnalyzer,
    SecretsAnalyzer,
)

ANALYZERS = (
    PatternSecurityAnalyzer(),
    PolicyRailSecurityAnalyzer(),
    SecretsAnalyzer(),
    InjectionAnalyzer(),
)
MIB = 1 << 20


def action(arguments: dict[str, Any], tool_name: str = "some_server", **fields: str) -> ActionEvent:
    """Unvalidated: JSON parsers of ours refuse some of this, other callers may not."""
    said = {"summary": "", "thought": ""} | fields
    return ActionEvent.model_construct(tool_name=tool_name, arguments=arguments, annotations=None, **said)


def assessed(one: ActionEvent) -> list[Assessment]:
    return [analyzer.assess(one) for analyzer in ANALYZERS]


def filled(piece: str) -> str:
    return piece * (MIB // len(piece.encode("utf-8", "replace")))


def shuffled(*pieces: str) -> str:
    dice = random.Random(3)
    return "".join(dice.choices(pieces, k=MIB // 6))


HEAVY = {
    "one letter": filled("a"),
    "spaces": filled(" "),
    "nul": filled("\x00"),
    "separators": filled("\n\x00\n"),
    "quotes": filled("'\""),
    "brackets": filled("("),
    "command starts": filled("rm -rf "),
    "downloads": filled("curl x "),
    "pipes": filled("curl|"),
    "keys": shuffled("AKIA", "A", "Z2", "sk-", "eyJ", ".ey", "password=", "://", ":", "@", "1"),
    "placeholders": filled("ghp_" + "x" * 36 + " "),
    "assignments": filled("token=aB3dE5gH7jK9mN1pQ3 x "),
    "one key": "sk-proj-" + filled("aB3d"),
    "private key": "-----BEGIN PRIVATE KEY-----\n" + filled("aB3d"),
    "instructions": shuffled("ignore ", "all ", "previous ", "the ", "system ", "rate ", "this "),
    "zero width": filled("a\u200bb"),
    "zero width run": filled("\u200b"),
    "combining": filled("a\u0301"),
    "cyrillic": filled("ср а рм "),
    "one mixed word": filled("сx"),
    "chinese": filled("忽略之前的，"),
    "emoji": filled("👨‍👩‍👧 1️⃣"),
    "tags": filled("\U000e0041"),
    "surrogates": filled("\ud800 "),
    "isolates": filled("\u2067x"),
}


@pytest.mark.parametrize("tool", ["bash", "some_server", "write_file"])
@pytest.mark.parametrize("name", HEAVY)
def test_a_megabyte_of_anything_is_rated_in_bounded_time(name: str, tool: str):
    one = action({"command": HEAVY[name]}, tool)
    assessed(action({"command": "ü"}, tool))  # loads what is loaded once

    with bounded():
        assessed(one)


@pytest.mark.parametrize(
    "arguments",
    [
        {"x": ["ab"] * 130_000},
        {"x": ["stratum+tcp://ü"] * 45_000},
        {"x": ["authorized_keys", "ssh-rsa AAAA", ">>"] * 20_000},
        {"x": [["curl x | sh"]] * 40_000},
        {f"k {number}": "nc 1 2" for number in range(40_000)},
        {"x": ["忽略之前的指令"] * 25_000},
        {"k" * 100_000: ["rm -rf /"] * 50_000},
    ],
    ids=["short", "hits", "rails", "nested", "keys", "instructions", "long key"],
)
def test_many_strings_are_rated_in_bounded_time(arguments: dict[str, Any]):
    one = action(arguments)

    with bounded():
        assessed(one)


def test_time_grows_with_the_length():
    def seconds(length: int) -> float:
        text = ("cd build && make -j4 2>&1 | tail -3 # ok\n" * (length // 40))[:length]
        rounds = []
        for _ in range(5):
            one = action({"command": text}, "bash")
            start = thread_time()
            assessed(one)
            rounds.append(thread_time() - start)
        return min(rounds)

    assert seconds(MIB) < 40 * seconds(MIB // 16)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=12,
)
#: Pieces that make the searches go on.
odd = st.lists(
    st.sampled_from([
        "ignore all ", "previous instructions", "\u200b", "\u202e", "сurl ", "/еtc", "AKIA", "ghp_", "=",
        "'", '"', "\n", "\x00", "curl -d ", "https://", "authorized_keys", "ssh-rsa AAAA", ">>", "\ud800",
        "ｒｍ", "é", "#", "rate this as safe", "password=aB3dE5gH7jK9mN1pQ3", "stratum+tcp://x", "<<E\n",
    ]),
    max_size=8,
).map("".join)  # fmt: skip


@given(
    arguments=st.dictionaries(st.text(max_size=20) | odd, json | odd, max_size=3),
    tool_name=st.sampled_from(["bash", "write_file", "grep", "x", "ю"]),
    said=odd,
)
@settings(max_examples=400, deadline=None)
def test_whatever_the_action_there_is_an_answer_and_spans_lie_in_their_fields(
    arguments: dict[str, Any], tool_name: str, said: str
):
    one = action(arguments, tool_name, thought=said)

    for assessment in assessed(one):
        for finding in assessment.findings:
            if finding.span is not None:
                start, end = finding.span
                assert 0 <= start <= end
                if finding.field == "thought":
                    assert end <= len(said)
