"""What one line says of a call, before it is cut."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier import ActionEvent
from guardtier_workers.cli.output import call_text
from guardtier_workers.headline import headline_of

LONG = "x" * 500


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"command": "ls -la"}, "ls -la"),
        ({"command": "npm test", "timeout": 60}, "npm test · timeout: 60"),
        ({"command": "view", "new": LONG, "path": "/etc/hosts"}, "view · path: /etc/hosts · new: xxx"),
        ({"content": LONG, "path": "/etc/hosts"}, '{"path":"/etc/hosts","content":"xxx'),
        ({"command": " ", "path": "a"}, '{"command":" ","path":"a"}'),
        ({}, "{}"),
    ],
    ids=str,
)
def test_what_is_short_comes_before_what_is_cut(arguments: dict[str, Any], told: str) -> None:
    assert headline_of(arguments, 50).startswith(told)


def test_a_line_of_the_command_line_names_the_file_before_its_content() -> None:
    action = ActionEvent(
        fleet="web", agent="a", tool_name="write_file", arguments={"content": LONG, "path": "/etc/hosts"}
    )

    assert call_text(action).startswith('{"path":"/etc/hosts"')
