"""Real commands for every side of the benchmark: tool calls from a JSONL file, repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_ACTIONS = ROOT / "workers/guardtier_workers/demo/actions.jsonl"


def load_actions(path: str | Path = DEFAULT_ACTIONS, *, at_least: int = 1) -> list[dict[str, Any]]:
    """The tool calls of the file in their order, from the start again until there are ``at_least``.

    A line has ``tool_name`` and ``arguments``, and may have more. Raises ValueError for a file
    without any, since a benchmark of empty calls would flatter everyone.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    calls: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    if not calls:
        raise ValueError(f"{path}: no tool calls; one JSON object a line is expected")
    return list(islice(cycle(calls), max(at_least, len(calls))))


def endless(calls: list[dict[str, Any]], start: int = 0) -> Iterator[dict[str, Any]]:
    """One agent's calls, without end; ``start`` lets each agent begin elsewhere in the list."""
    first = start % len(calls)
    return cycle(calls[first:] + calls[:first])
