"""Globs: a star stands for anything, and everything else for itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier.policy.globs import matcher, may_expand_to, may_overlap

TEXTS = st.text(alphabet="ab.[", max_size=8)
GLOBS = st.text(alphabet="ab.[*", min_size=1, max_size=8)


@settings(deadline=None)
@given(GLOBS, TEXTS)
def test_it_matches_what_the_same_pattern_does(glob: str, text: str):
    pattern = ".*".join(map(re.escape, glob.split("*")))

    assert matcher(glob)(text) == (re.fullmatch(pattern, text, re.DOTALL) is not None)


@settings(deadline=None)
@given(GLOBS, GLOBS, TEXTS)
def test_what_matches_a_glob_as_a_text_matches_all_that_it_matches(wide: str, narrow: str, text: str):
    if matcher(wide)(narrow) and matcher(narrow)(text):
        assert matcher(wide)(text)


@settings(deadline=None)
@given(GLOBS, GLOBS, TEXTS)
def test_what_may_not_overlap_has_no_text_in_common(one: str, other: str, text: str):
    if not may_overlap(one, other):
        assert not (matcher(one)(text) and matcher(other)(text))


def test_many_stars_take_no_time_that_grows_with_their_number():
    assert not matcher("*a" * 100 + "*b")("a" * 1_000_000)


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="ab/*?", max_size=6), st.text(alphabet="ab/*", max_size=6), TEXTS)
def test_what_a_shell_may_expand_to_is_told(path: str, glob: str, name: str):
    expanded = path.replace("*", name.replace("[", "")).replace("?", "a")

    if matcher(glob)(expanded):
        assert may_expand_to(path, glob)


@pytest.mark.parametrize(
    ("path", "glob", "may"),
    [
        ("/srv/pr*d/x", "/srv/prod/*", True),
        ("/srv/?rod/x", "/srv/prod/*", True),
        ("/srv/[pq]rod/x", "/srv/prod/*", True),
        ("*/*/*", "*/prod/*", True),
        ("*.py", "*/prod/*", False),
        ("src/*.py", "/srv/prod/*", False),
        ("/*/x", "/srv/prod/*", False),
        ("/srv/*/x", "/srv/prod/y", False),
    ],
)
def test_a_glob_of_a_shell_stays_in_its_folder(path: str, glob: str, may: bool):
    assert may_expand_to(path, glob) is may
