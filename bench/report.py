"""Prints what was measured, as fixed-width text, and keeps it as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measure import Result

RESULTS = Path(__file__).parent / "results"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns as wide as their widest cell: the first to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def latency_rows(results: Mapping[str, Result]) -> list[list[Any]]:
    """A row each for :func:`table`: name, agents, p50, p99, decisions/s, commands a decision."""
    return [
        [name, *(result.get(key) for key in ("agents", "p50_ms", "p99_ms", "per_s", "commands"))]
        for name, result in results.items()
    ]


def cpu_per_10k(result: Result) -> dict[str, float]:
    """CPU seconds that 10,000 decisions cost each process."""
    return {
        name: round(seconds * 10_000 / result["decisions"], 2)
        for name, seconds in result.get("cpu", {}).items()
    }


def ratio(value: float, reference: float) -> float:
    """How many times the reference; not a number where there is none."""
    return round(value / reference, 2) if reference else float("nan")


def write_json(results: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Keep everything, with the time and the kind of machine. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = folder / f"bench-{stamp}.json"
    context = {"at": stamp, "python": platform.python_version(), "machine": machine()}
    path.write_text(json.dumps({"context": context, **results}, indent=2) + "\n")
    return path


def machine() -> dict[str, Any]:
    """What a reader must know before comparing: the processor, the cores, the kernel."""
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
    }


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
