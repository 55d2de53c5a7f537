"""Untrusted text on a page: nothing hidden, nothing left out, findings where they are."""

from __future__ import annotations

import pytest

from guardtier_workers.console.show.folding import HEAD, PART, WHOLE, folded, part
from guardtier_workers.console.show.hidden import hidden_in
from guardtier_workers.console.show.marked import Mark, Piece, one_line, pieces


def kinds(text: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in pieces(text)]


def covered(found: list[Piece], text: str) -> str:
    """The characters that pieces stand for, by their places."""
    return "".join(text[piece.start : piece.end] for piece in found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\u200bb", "U+200B"),
        ("a\ufeffb", "U+FEFF"),
        ("a\u00adb", "U+00AD"),
        ("a\x1b[2Kb", "U+001B"),
        ("a\x9b2Kb", "U+009B"),
        ("a\rb", "U+000D"),
        ("a\x00b", "U+0000"),
        ("a\x7fb", "U+007F"),
        ("a\tb", "U+0009"),
        ("a\u00a0b", "U+00A0"),
        ("a\u2028b", "U+2028"),
        ("a\u3164b", "U+3164"),
        ("a\ufe0fb", "U+FE0F"),
        ("a\ue000b", "U+E000"),
        ("\u200b" * 7, "U+200B ×7"),
        ("\U000e0069\U000e0067", "tags: ig"),
    ],
)
def test_what_nobody_would_see_stands_there_by_its_name(text: str, shown: str) -> None:
    assert ("hidden", shown) in kinds(text)


def test_each_has_a_name_and_says_what_it_does() -> None:
    title = next(piece.title for piece in pieces("\u202e") if piece.kind == "hidden")

    assert title.startswith("RIGHT-TO-LEFT OVERRIDE: turns the direction of reading")


def test_a_letter_of_another_script_within_a_latin_word_is_told() -> None:
    found = next(piece for piece in pieces("sud\u043e rm") if piece.kind == "alike")

    assert found.text == "\u043e"
    assert "looks like o" in found.title


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("curl https://example.com\u2215@evil.com/x", "\u2215"),
        ("curl https://example.com\uff0f\u2044@evil.com/x", "\uff0f\u2044"),
        ("ssh root\uff20example.com", "\uff20"),
        ("curl https://\u0430\u0440\u0440\u04cf\u0435.com/x", "\u0430\u0440\u0440\u04cf\u0435"),
    ],
)
def test_what_makes_another_host_of_an_address_is_told(text: str, odd: str) -> None:
    assert "".join(shown for kind, shown in kinds(text) if kind == "alike") == odd


def test_words_of_another_script_are_left_as_they_are() -> None:
    assert kinds("grep 'Привет' café") == [("", "grep '"), ("", "Привет"), ("", "' caf"), ("", "é")]


def test_nothing_is_pushed_out_of_sight() -> None:
    found = kinds("ls" + " " * 400 + "; rm -rf ~" + "\n" * 300 + "curl x | sh")

    assert ("hidden", "400 spaces") in found
    assert ("hidden", "299 empty lines") in found
    assert ("", "curl x | sh") in found


def test_marks_that_are_stacked_on_a_letter_are_named() -> None:
    assert ("hidden", "U+0301") in kinds("a" + "\u0301" * 9)


def test_overlapping_findings_are_marked_each_where_it_begins() -> None:
    marks = [Mark(1, "HIGH", 0, 8), Mark(2, "MEDIUM", 3, 12), Mark(3, "LOW", 3, 5)]

    found = list(pieces("curl x | sh -c y", marks))

    assert [(piece.text, piece.hits, piece.begins, piece.risk) for piece in found] == [
        ("cur", (1,), (1,), "HIGH"),
        ("l ", (1, 2, 3), (2, 3), "HIGH"),
        ("x |", (1, 2), (), "HIGH"),
        (" sh ", (2,), (), "MEDIUM"),
        ("-c y", (), (), ""),
    ]


@pytest.mark.parametrize("span", [(-5, 3), (2, 9_999), (4, 4), (9, 2), (50, 60)])
def test_a_span_out_of_range_harms_nothing(span: tuple[int, int]) -> None:
    text = "rm -rf ~"

    assert covered(list(pieces(text, [Mark(1, "HIGH", *span)])), text) == text


@pytest.mark.parametrize(
    "text", ["", "\n", "a\n\n\n\n\nb", " " * 99, "\u202e\u200b\u200b", "naïve\x00", "日本\n語"]
)
def test_the_pieces_stand_for_every_character_in_order(text: str) -> None:
    assert covered(list(pieces(text)), text) == text


def test_a_line_within_a_row_does_not_break() -> None:
    assert [piece.kind for piece in one_line("a\nb")] == ["", "break", ""]


def test_a_long_text_is_folded_and_complete_on_demand() -> None:
    text = "".join(chr(97 + at % 26) for at in range(300_000))
    mark = Mark(1, "HIGH", 150_000, 150_010)

    shown = folded(text, [mark])
    gaps = [piece for piece in shown if piece.kind == "gap"]

    assert covered(shown, text) == text
    assert len(gaps) == 2
    assert sum(piece.end - piece.start for piece in shown if piece.kind != "gap") < 2 * HEAD
    assert any(piece.hits == (1,) for piece in shown)

    loaded: list[Piece] = []
    waiting = gaps[:1]
    while waiting:
        found = part(text, [mark], waiting[0].start, waiting[0].end)
        waiting = [piece for piece in found if piece.kind == "gap"]
        loaded += [piece for piece in found if piece.kind != "gap"]
        assert sum(len(piece.text) for piece in found) <= PART + 20
    assert covered(loaded, text) == text[gaps[0].start : gaps[0].end]


def test_a_short_text_is_not_folded() -> None:
    assert not [piece for piece in folded("x" * WHOLE) if piece.kind == "gap"]


def test_hidden_characters_are_counted_by_kind() -> None:
    found = hidden_in(["a\u200bb\u200b\n\t", "\U000e0069\U000e0067", "\u202e"])

    assert {count.said.label: count.times for count in found} == {"tags": 2, "U+200B": 2, "U+202E": 1}
