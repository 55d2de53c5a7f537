"""guardtier with N analyzer workers whose ensemble waits 50 ms a time, eight at a time each.

N comes from the environment (BENCH_ANALYZERS), since it makes the list of processes.
"""

from __future__ import annotations

import os

from bench.guardtier_side import client, judge, policy
from bench.rivals.harness import Contestant, main

ANALYZERS = int(os.environ.get("BENCH_ANALYZERS", "1"))

SCALING = Contestant(
    f"{ANALYZERS} analyzer workers",
    "bench.guardtier_scaling",
    client,
    {**{f"analyzer-{number}": judge for number in range(ANALYZERS)}, "policy": policy},
)

if __name__ == "__main__":
    main(SCALING)
