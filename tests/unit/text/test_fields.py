"""The strings of an action: all of them, each with its path and its place."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier import ActionEvent
from guardtier.analyzers.text.fields import Text, Texts, texts_of
from guardtier.analyzers.text.parts import Path, shown
from guardtier.analyzers.text.places import Place


def action(tool_name: str = "some_tool", **fields: Any) -> ActionEvent:
    return ActionEvent(fleet="web", agent="coder", tool_name=tool_name, **fields)


def found_in(arguments: dict[str, Any], tool_name: str = "some_tool") -> list[tuple[str, str]]:
    parts = Texts(action(tool_name, arguments=arguments)).runs.parts
    return [(shown(part.path), part.text) for part in list(parts)[1:]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, []),
        ({"command": "ls"}, [("arguments.command", "ls")]),
        ({"a": 1, "b": None, "c": True, "d": "x"}, [("arguments.d", "x")]),
        ({"a": {"b": ["x", 1, {"c": "y"}]}}, [("arguments.a.b.0", "x"), ("arguments.a.b.2.c", "y")]),
        (
            {"argv": ["rm", "-rf", "/"]},
            [
                ("arguments.argv.0", "rm"),
                ("arguments.argv.1", "-rf"),
                ("arguments.argv.2", "/"),
                ("arguments.argv", "rm -rf /"),
            ],
        ),
        ({"one": ["x"]}, [("arguments.one.0", "x")]),
        ({"rm -rf /": "x"}, [("arguments.rm -rf /", "rm -rf /"), ("arguments.rm -rf /", "x")]),
        ({"env": {"A B": 1}}, [("arguments.env.A B", "A B")]),
        ({"empty": [], "none": {}}, []),
        ({"a": ["x", {"k k": ["p", "q"]}], "z": "last"}, None),
        ({"a": {"k k": {"l l": "v"}}, "b": [["x", "y"], ["z"]], "c": "w"}, None),
    ],
)
def test_every_string_is_found_with_its_path(
    arguments: dict[str, Any], expected: list[tuple[str, str]] | None
):
    texts = Texts(action(arguments=arguments))

    assert [part.text for part in texts.runs.parts] == texts.runs.strings, "the two walks agree"
    if expected is not None:
        assert found_in(arguments) == expected


def test_the_tool_name_is_part_of_what_runs_and_summary_and_thought_are_not():
    texts = Texts(action("bash", arguments={"command": "ls"}, summary="S", thought="T"))

    assert texts.runs.strings == ["bash", "ls"]
    assert texts.said is not None
    assert texts.said.strings == ["S", "T"]
    assert [shown(part.path) for part in texts.said.parts] == ["summary", "thought"]


def test_deep_json_needs_no_recursion_and_no_long_paths():
    deep: Any = "rm"
    for _ in range(50_000):
        deep = {"k": [deep]}
    parts = Texts(
        ActionEvent.model_construct(tool_name="x", arguments={"a": deep}, summary="", thought="")
    ).runs.parts

    assert [part.text for part in parts] == ["x", "rm"]
    assert len(shown(parts[1].path)) < 100


def test_a_long_key_with_many_children_is_cut():
    path = Path(1, Path("k" * 100_000, Path("arguments")))

    assert shown(path) == f"arguments.{'k' * 64}….1"


@pytest.mark.parametrize(
    ("tool", "arguments", "places"),
    [
        ("bash", {"command": "ls"}, [Place.PARSED]),
        ("BASH", {"command": "ls", "description": "lists"}, [Place.PARSED, Place.SAID]),
        ("bash", {"command": "ls", "cwd": "/tmp"}, [Place.PARSED, Place.ARGUMENT]),
        ("write_file", {"path": "a.php", "content": "x"}, [Place.ARGUMENT, Place.CONTENT]),
        ("write_file", {"path": "a.MD", "content": "x"}, [Place.ARGUMENT, Place.DOCUMENT]),
        ("write_file", {"content": "x"}, [Place.CONTENT]),
        ("multi_edit", {"file_path": "a.ts", "edits": [{"old_string": "a", "new_string": "b"}]},
         [Place.ARGUMENT, Place.DOCUMENT, Place.CONTENT]),
        ("multi_edit", {"file_path": "a.py", "edits": [{"old_string": "a", "new_string": "if b"}]},
         [Place.ARGUMENT, Place.DOCUMENT, Place.CONTENT]),
        ("multi_edit", {"file_path": "a.py", "edits": [{"old_string": "a", "new_string": "b"}]},
         [Place.ARGUMENT, Place.DOCUMENT, Place.PARSED]),
        ("grep", {"pattern": "curl | sh"}, [Place.DOCUMENT]),
        ("mcp_thing", {"x": "ls", "cmd": "ls"}, [Place.ARGUMENT, Place.PARSED]),
        ("mcp_thing", {"body": "Hello"}, [Place.PROSE]),
    ],
)  # fmt: skip
def test_a_string_knows_where_it_ends_up(tool: str, arguments: dict[str, Any], places: list[Place]):
    parts = Texts(action(tool, arguments=arguments)).runs.parts

    assert [part.place for part in parts] == [Place.NAME, *places]


def test_the_children_of_an_ensemble_share_the_texts_of_an_action():
    first, second = action(), action()

    assert texts_of(first) is texts_of(first)
    assert texts_of(second).action is second


def test_a_place_in_the_whole_is_told_as_a_part():
    text: Text = Texts(action("tool", arguments={"a": "é", "b": "xy"})).runs

    assert [text.index_at(start) for start in text.starts] == [0, 1, 2]
    assert text.raw[text.starts[2] :] == "xy"
