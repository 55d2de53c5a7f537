"""What an approver is shown of an edit before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier.errors import ConfigError, InvalidAction
from guardtier_workers.changed import MOST_LINES, WIDE, changes
from guardtier_workers.cli.edit import arguments_in


def test_only_what_changes_is_shown_with_the_lines_around() -> None:
    before = {"path": "/etc/x", "content": "a\nb\nc\nd\ne\nf\ng\nh\ni", "mode": 420}
    after = {"path": "/etc/x", "content": "a\nb\nc\nd\ne\nf\nG\nh\ni", "mode": True}

    assert list(changes(before, after)) == [
        "  content:",
        "    …",
        *("      d", "      e", "      f", "    - g", "    + G", "      h", "      i"),
        "  mode:",
        "    …",
        "    - (JSON) 420",
        "    + (JSON) true",
    ]


def test_an_argument_that_goes_or_comes_is_a_change() -> None:
    assert list(changes({"a": ""}, {"b": "x"})) == [
        *("  a:", "    …", "    - "),
        *("  b:", "    …", "    + x"),
    ]
    assert list(changes({"a": "1"}, {"a": 1}))[2:] == ["    - 1", "    + (JSON) 1"]


def test_nothing_hidden_reaches_the_terminal() -> None:
    shown = "\n".join(changes({"\x1b[2K": "ls\r"}, {"\x1b[2K": "ls\u202e\x1b]0;\x07"}))

    assert shown.replace("\n", "").isprintable()
    assert "\\u202e" in shown


def test_what_an_agent_wrote_can_not_make_it_slow_or_endless() -> None:
    shown = list(changes({"a": "x\n" * 400_000, "b": "y" * 10**6}, {"a": "x\n" * 399_999, "b": ""}))
    alike = list(changes({"a": "x\n" * 999}, {"a": "x\ny\n" * 400}))

    assert any("too many to compare" in line for line in shown)
    assert max(map(len, shown)) <= WIDE + 10
    assert len(shown) < MOST_LINES
    assert alike


def test_arguments_are_given_as_json_or_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "arguments.json"
    file.write_text('{"command": "ls"}\n')

    assert arguments_in(str(file)) == arguments_in(' {"command": "ls"}') == {"command": "ls"}


@pytest.mark.parametrize(
    ("given", "said"),
    [('{"a": 1, "a": 2}', "stands twice"), ("[1]", "JSON object"), ("{", "not JSON")],
)
def test_arguments_that_are_none_are_refused_before_anything_is_sent(given: str, said: str) -> None:
    with pytest.raises(InvalidAction, match=said):
        arguments_in(given)
    with pytest.raises(ConfigError, match="can't be read"):
        arguments_in("no/such/file.json")
