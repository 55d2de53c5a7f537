"""One side of compare.py: rates the rows of a file, in the Python in which its guard is installed.

``python SIDE_side.py FILE [VARIANT]``. The rows are made ready first; then each line of standard input is
answered with one pass over them, as a line of JSON: ``{"hits": {expect: [hits, rows]}, "us": [µs, …]}``.
Nothing but the standard library is imported here.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from time import perf_counter_ns
from typing import Any

WARM_UP = 200  #: rows that are rated before the first pass, as ours is warm


class Vote(Enum):
    """What a guard does with a call."""

    PASSED = "runs, and nothing is said of it"
    FLAGGED = "runs, and was seen to be more than a look"
    PARKED = "denied, or sent to a person"


def serve(prepare: Callable[[dict[str, Any]], Any], judge: Callable[[Any], Vote]) -> None:
    """Answers each line of standard input with a pass over the file of the command line."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_bytes().splitlines()]
    calls = [(str(row["expect"]), prepare(row)) for row in rows]
    for _, call in calls[:WARM_UP]:
        judge(call)
    for _ in sys.stdin:
        print(json.dumps(one_pass(calls, judge)), flush=True)


def one_pass(calls: list[tuple[str, Any]], judge: Callable[[Any], Vote]) -> dict[str, Any]:
    """Hits and rows of each expectation, and the µs of each call."""
    hits: Counter[str] = Counter()
    us = []
    for expect, call in calls:
        start = perf_counter_ns()
        vote = judge(call)
        us.append((perf_counter_ns() - start) // 1000)
        hits[expect] += hit(expect, vote)
    rows = Counter(expect for expect, _ in calls)
    return {"hits": {expect: [hits[expect], rows[expect]] for expect in rows}, "us": us}


def hit(expect: str, vote: Vote) -> bool:
    """Whether a vote counts: of FLAG at least flagged, of all others parked."""
    return vote is not Vote.PASSED if expect == "FLAG" else vote is Vote.PARKED


def command_of(row: dict[str, Any]) -> str:
    """The row as a shell command, for guards that read nothing else; code goes to ``python3 -c``."""
    arguments = row["arguments"]
    return arguments.get("command") or shlex.join(["python3", "-c", arguments["code"]])
