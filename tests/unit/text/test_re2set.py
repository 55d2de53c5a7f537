"""Pattern sets: many patterns in one pass, and what they refuse when they are loaded."""

from __future__ import annotations

import pytest

from guardtier.analyzers.text.re2set import PatternSet, Source
from guardtier.analyzers.text.repetition import repeated_repetition
from guardtier.errors import ConfigError


def set_of(*patterns: str) -> PatternSet:
    return PatternSet(Source(f"p{number}", pattern) for number, pattern in enumerate(patterns))


def test_it_tells_which_patterns_match_and_where():
    patterns = set_of(r"a+", r"zzz", r"b(c)d")

    assert list(patterns.hits(b"xaabcd")) == [0, 2]
    assert patterns.find(0, b"xaabcd") == (1, 3)
    assert patterns.find(0, b"xaabcd", 2) == (2, 3)
    assert patterns.find(2, b"xaabcd", group=1) == (4, 5)
    assert patterns.find(1, b"xaabcd") is None


def test_an_empty_set_matches_nothing():
    assert not set_of().hits(b"x")


@pytest.mark.parametrize(
    ("pattern", "position"),
    [
        (r"(a)\1", 3),
        ("x(?=y)", 1),
        ("ab(?<!y)", 2),
        ("[z-a]", 1),
        ("x(y", 0),
        ("a{2000}", 1),
        ("(a+)+$", 0),
        ("x(?:y*)*z", 1),
        ("(?:x+x+)+y", 0),
        (r"q\pL{500}", 4),
        (r"x((a{1,100}){1,100}){1,100}", 4),
    ],
)
def test_what_re2_can_not_do_in_bounded_time_is_refused_with_pattern_and_position(
    pattern: str, position: int
):
    with pytest.raises(ConfigError) as refused:
        set_of("fine", pattern)

    assert repr(pattern) in str(refused.value)
    assert f"position {position}" in str(refused.value)
    assert refused.value.field == "p1"


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:\w+\.)+",
        r"(?:-\w+\s+)*x",
        r"[(+)]+",
        r"a{2,}",
        r"\(a+\)+",
        r"(?i:ab)+",
        r"(a|b)+",
        r"[\]+]*)?"[:-2],
    ],
)
def test_honest_repetition_is_no_repeated_repetition(pattern: str):
    assert repeated_repetition(pattern) is None


def test_a_pattern_that_is_no_unicode_is_refused():
    with pytest.raises(ConfigError, match="p0"):
        set_of("\ud800")


def test_where_the_automaton_runs_out_of_memory_patterns_are_searched_one_by_one():
    patterns = set_of("abc", "xyz")
    patterns._set = _Exhausted()  # type: ignore[assignment]

    assert list(patterns.hits(b"..xyz")) == [1]


class _Exhausted:
    """What ``RE2::Set`` says when its memory has run out: that nothing matches."""

    def Match(self, data: bytes) -> None:
        return None
