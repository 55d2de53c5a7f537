"""Globs: a star stands for anything, and everything else for itself."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier.policy.globs import matcher, may_overlap

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
