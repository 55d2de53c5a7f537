"""What every part of the benchmark measures with. Standard library only: rivals import it too."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]
Job = Callable[[], Result]

TICKS = os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0 to 1) of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values: the run ended before its first decision")
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[min(max(int(rank), 1), len(ordered)) - 1]


def latency(took: Sequence[float], seconds: float) -> Result:
    """The figures of one closed-loop run, from the time of each decision in seconds."""
    return {
        "decisions": len(took),
        "seconds": round(seconds, 4),
        "p50_ms": round(1000 * percentile(took, 0.5), 4),
        "p99_ms": round(1000 * percentile(took, 0.99), 4),
        "per_s": round(len(took) / seconds, 2),
    }


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in steps of 10 ms. Linux."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds spent by each process between two readings."""
    return {name: round(after[name] - before[name], 3) for name in before}


def rss_mib(pid: int) -> float:
    """Resident memory of a process in MiB. Linux."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def interleave(
    rounds: int, jobs: Mapping[str, Job], tell: Callable[[str], None] = lambda _: None
) -> dict[str, Result]:
    """Run the jobs in turn, round after round; the median of each metric, and all rounds with it.

    In turn, because a machine's speed drifts: whatever slows a minute slows all sides of it.
    """
    runs: dict[str, list[Result]] = {name: [] for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            tell(f"round {number + 1} of {rounds}: {name}")
            runs[name].append(job())
    return {name: {**medians(results), "rounds": results} for name, results in runs.items()}


def medians(results: Sequence[Result]) -> Result:
    """Number by number the median; what is not a number is taken from the first result.

    A number that some rounds lack is the median of those that have it.
    """
    merged: Result = {}
    for key in dict.fromkeys(key for result in results for key in result):
        values = [result[key] for result in results if result.get(key) is not None]
        merged[key] = _median(values) if values else None
    return merged


def _median(values: list[Any]) -> Any:
    if all(isinstance(value, Mapping) for value in values):
        return medians(values)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return statistics.median(values)
    return values[0]
