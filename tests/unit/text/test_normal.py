"""Folding: what looks alike reads alike, and a place in the folded text is a place in the original."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier.analyzers.text.normal import Folded, fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("rm -rf /", "rm -rf /"),
        ("ｒｍ －ｒｆ ／", "rm -rf /"),
        ("r\u200bm", "rm"),
        ("r\u0336m", "rm"),
        ("сurl", "curl"),  # Cyrillic es
        ("ѕսdо", "sudo"),  # Cyrillic, Armenian, Latin, Cyrillic
        ("𝓇𝓂 𝐫𝐦", "rm rm"),
        ("\u202erm\u202c", "rm"),
        ("r\U000e0041m\ufe0f", "rm"),
        ("café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("x\u00a0y\u3000z", "x y z"),
        ("ﬁle", "file"),
        ("ⅷ", "viii"),
        ("ЅUDО", "SUDO"),
        ("忽略", "忽略"),
        ("한국어", "한국어"),
    ],
)
def test_what_looks_like_ascii_becomes_ascii(text: str, folded: str):
    assert fold(text) == folded


def test_ascii_is_not_touched():
    text = "m rn l1 O0 ' ` | ;" * 100

    assert fold(text) is text


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_folding_twice_changes_nothing_and_goes_by_character(text: str):
    folded = fold(text)

    assert fold(folded) == folded
    assert folded == "".join(map(fold, text))


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize(
    ("strings", "wanted", "place"),
    [
        (["ab", "rm"], "rm", (1, 0, 2)),
        (["ü", "xx r\u200bm yy"], "rm", (1, 3, 6)),
        (["ü", "xx ｒｍ"], "rm", (1, 3, 5)),
        (["日本", "日rm"], "rm", (1, 1, 3)),
        (["ﬁ", "ﬁle"], "le", (1, 1, 3)),
        (["\ud800", "\ud800rm"], "rm", (1, 1, 3)),
        (["a\n\x00\nb", "ürm"], "rm", (1, 1, 3)),
        (["é" * 10_000 + "\u200b" * 5000 + "rm"], "rm", (0, 15_000, 15_002)),
    ],
)
def test_a_match_is_found_again_in_the_original(
    strings: list[str], wanted: str, place: tuple[int, int, int], lower: bool
):
    folded = Folded(strings, "\n\x00\n")
    if lower:
        folded = folded.lowered()
    start = folded.data.rindex(wanted.encode())

    assert folded.spot(start, start + len(wanted)) == place


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_every_place_of_a_folded_text_has_an_original(strings: list[str], data: st.DataObject):
    folded = Folded(strings, "\n\x00\n")
    start = data.draw(st.integers(0, len(folded.data)))
    end = data.draw(st.integers(start, len(folded.data)))

    index, first, last = folded.spot(start, end)

    assert 0 <= first <= len(strings[index])
    assert 0 <= last <= len(strings[index])
