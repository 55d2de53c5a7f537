"""guardtier beside the OpenHands SDK's own analyzers: what each parks of the same rows, and what it costs.

``python tests/eval/compare.py SDK_PYTHON [--rounds N]``. Both sides rate each file of EVAL_DATA in turn,
round after round, in one run: machines differ and drift, the ratio of the two holds. An action's cost is
its best of all rounds. Reported, not gated. The two run on Pythons of their own (the SDK needs 3.12).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from evaluate import Result, Row, data_files, rate

from guardtier.settings import Settings
from guardtier_workers.cli.rating import Rater

SDK_SIDE = Path(__file__).with_name("sdk_side.py")


class Pass(NamedTuple):
    """One pass of one side over a file: hits and rows of each expectation, and µs of each row."""

    hits: dict[str, tuple[int, int]]
    us: Sequence[int]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sdk_python", help="the Python of an environment with openhands-sdk")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    files = data_files()
    if not files:
        return 0
    print(f"{'set':<24}{'expect':<8}{'rows':>6}  {'OpenHands SDK':>18}{'guardtier':>18}")
    with Rater(Settings.load()) as rater:
        rater.warm()
        for file in files:
            _print_set(file.stem, *_both(rater, file, options))
    return 0


def _both(rater: Rater, file: Path, options: argparse.Namespace) -> tuple[list[Pass], list[Pass]]:
    rows = [orjson.loads(line) for line in file.open("rb")]
    theirs, ours = [], []
    command = [options.sdk_python, str(SDK_SIDE), str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sdk:
        assert sdk.stdin is not None
        assert sdk.stdout is not None
        for _ in range(options.rounds):
            sdk.stdin.write(b"again\n")
            sdk.stdin.flush()
            said = orjson.loads(sdk.stdout.readline())
            theirs.append(Pass({name: tuple(hits) for name, hits in said["hits"].items()}, said["us"]))
            ours.append(_pass(rater, file.stem, rows))
        sdk.stdin.close()
    return theirs, ours


def _pass(rater: Rater, name: str, rows: list[dict[str, Any]]) -> Pass:
    result = Result(name, [Row(data, rate(rater, data)) for data in rows])
    expects = dict.fromkeys(row.expect for row in result.rows)
    return Pass(
        {expect: result.share(expect) for expect in expects}, [row.rating.us for row in result.rows]
    )


def _print_set(name: str, theirs: list[Pass], ours: list[Pass]) -> None:
    for expect, (_, rows) in ours[0].hits.items():
        shares = (f"{side[0].hits[expect][0] / rows:.1%}" for side in (theirs, ours))
        print(f"{name:<24}{expect:<8}{rows:>6}  " + "".join(f"{share:>18}" for share in shares))
    costs = [_said(side) for side in (theirs, ours)]
    print(f"{'  µs: median / mean / p99':<38}  {costs[0]:>18}{costs[1]:>18}")


def _said(side: list[Pass]) -> str:
    best = sorted(map(min, zip(*(one.us for one in side), strict=True)))
    return f"{statistics.median(best):.0f} / {statistics.mean(best):.0f} / {best[len(best) * 99 // 100]}"


if __name__ == "__main__":
    sys.exit(main())
