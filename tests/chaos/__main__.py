"""``python -m chaos``: every fault, with load running; a table of what was lost, doubled or wrong."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from chaos import durability, failover, network, ordered, refusing, rotation, upgrade, workers
from chaos.scenario import Outcome, Scenario, Skipped

ALL: tuple[Scenario, ...] = (
    *workers.SCENARIOS,
    *network.SCENARIOS,
    *durability.SCENARIOS,
    *failover.SCENARIOS,
    *refusing.SCENARIOS,
    *ordered.SCENARIOS,
    *rotation.SCENARIOS,
    *upgrade.SCENARIOS,
)
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
HEAD = (
    f"{'fault':<26} {'actions':>7} {'lost':>5} {'double':>6} {'wrong':>5} {'stall':>8} {'took':>6}  notes"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios. Returns 1 where one of them broke, or broke a promise; 2 for an unknown name."""
    options = _parser().parse_args(argv)
    if options.list:
        print("\n".join(f"{one.name:<26} {one.run.__doc__}" for one in ALL))
        return 0
    if options.old:
        os.environ[upgrade.OLD] = options.old
    unknown = set(options.only or ()) - {one.name for one in ALL}
    if unknown:
        print(f"no such fault: {', '.join(sorted(unknown))}; --list names all", file=sys.stderr)
        return 2
    print(HEAD, flush=True)
    return max([_run(one) for one in ALL if not options.only or one.name in options.only], default=0)


def _run(scenario: Scenario) -> int:
    started = monotonic()
    folder = Path(tempfile.mkdtemp(prefix="guardtier-chaos-"))
    logging.basicConfig(filename=folder / "clients.log", level=logging.INFO, format=FORMAT, force=True)
    try:
        outcome = asyncio.run(scenario.run(folder))
    except Skipped as skipped:
        print(f"{scenario.name:<26} skipped: {skipped}", flush=True)
        return 0
    except Exception:
        traceback.print_exc()
        print(f"{scenario.name:<26} did not come to its end: see above, and {folder}", flush=True)
        return 1
    _tell(scenario, outcome, monotonic() - started)
    if not outcome.report.ok:
        print(f"{outcome.report}\nthe history and the logs: {folder}", file=sys.stderr, flush=True)
        return 1
    shutil.rmtree(folder)
    return 0


def _tell(scenario: Scenario, outcome: Outcome, took: float) -> None:
    report = outcome.report
    unused = f"; {len(report.unused)} approvals used up without a run" if report.unused else ""
    print(
        f"{scenario.name:<26} {report.actions:>7} {report.lost:>5} {report.double:>6} {report.wrong:>5} "
        f"{outcome.stall:>6.1f} s {took:>4.0f} s  {outcome.notes}{unused}",
        flush=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--only", nargs="+", action="extend", metavar="NAME", help="these faults alone")
    parser.add_argument("--old", metavar="COMMIT", help="the older version of version-mixed")
    parser.add_argument("--list", action="store_true", help="name the faults")
    return parser


if __name__ == "__main__":
    sys.exit(main())
