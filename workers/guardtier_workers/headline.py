"""What one line says of a call: what runs, and of long arguments the short ones first.

The name of a file stands beside its content, and an editor's sub-command (`str_replace`) says nothing of
the file: in the order of their names a line would be cut before what one must see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def shortest_first(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments in another order."""
    return dict(sorted(arguments.items(), key=lambda one: _size(one[1])))


def headline_of(arguments: Mapping[str, Any], most: int) -> str:
    """The command, with the other arguments behind it; or all as JSON. At most so many characters."""
    command = arguments.get("command")
    if not isinstance(command, str) or not command.strip():
        return orjson.dumps(shortest_first(arguments)).decode()[:most]
    others = {name: value for name, value in arguments.items() if name != "command"}
    told = [command, *(f"{name}: {_text(value)}" for name, value in shortest_first(others).items())]
    return " · ".join(told)[:most]


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(orjson.dumps(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
