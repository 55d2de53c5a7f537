"""Workers of an older version are replaced by those of this one while agents ask, each beside the other.

The older code is that of a commit (``--old COMMIT``), as ``git archive`` has it, in this environment.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import psutil

from chaos.credentials import embedded
from chaos.load import Load
from chaos.scenario import SIGN, Outcome, Place, Scenario, Skipped

ROOT = Path(__file__).parents[2]
OLD = "CHAOS_OLD"
#: The last one before verdicts were signed, the audit stream was chained and secrets were taken out.
BEFORE_TRUST = "5c4f369d66d8e1bb465dabadea10cb466c54329b"
#: What is written last in an action's way comes first: docs/operations.md, "Upgrade".
ORDER = ("policy", "steward", "analyzer")
#: What a version before signatures and the audit chain writes without: a verdict's seal, a line's number.
LACKED = frozenset({"unsealed", "unchained"})
BESIDE = 100  #: actions while both versions of a kind are there, and before the next


async def upgraded(folder: Path) -> Outcome:
    """Older workers of each kind, one of this version beside each, then alone; then those sign."""
    commit = os.environ.get(OLD, BEFORE_TRUST)
    older = _path_of(commit, folder / "older")
    with embedded() as server:
        async with Place(server.url, folder, signing=False) as place:
            workers = {kind: await place.start(kind, PYTHONPATH=older) for kind in ORDER}
            async with place.load(rate=120, verdict_keys=None) as load:
                await _replace(place, load, workers, ORDER)
                place.signing = True  # only now: an older worker of any kind can't read a signed verdict
                await _replace(place, load, workers, SIGN)
            async with place.load(before=load) as after:
                await after.more(BESIDE)
            outcome = await place.outcome(after, may_lack=LACKED)
            lacks = Counter(violation.kind for violation in outcome.report.gone)
            said = ", ".join(f"{many} {kind}" for kind, many in sorted(lacks.items()))
            return replace(outcome, notes=f"from {commit[:7]}: {said or 'nothing is missing'}")


async def _replace(
    place: Place, load: Load, workers: dict[str, psutil.Popen], kinds: Sequence[str]
) -> None:
    for kind in kinds:
        await load.more(BESIDE)
        old, workers[kind] = workers[kind], await place.start(kind)
        await load.more(BESIDE)
        old.terminate()
        assert await asyncio.to_thread(old.wait, 30) == 0, f"an older {kind} did not end in good order"
    await load.more(BESIDE)


def _path_of(commit: str, folder: Path) -> str:
    """PYTHONPATH for that commit's code. Raises Skipped where it can't be had."""
    argv = ("git", "-C", str(ROOT), "archive", "--format=tar", commit, "shared", "workers")
    try:
        done = subprocess.run(argv, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skipped(f"the code of {commit[:12]} can't be had: {error}") from error
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return os.pathsep.join(str(folder / package) for package in ("shared", "workers"))


SCENARIOS = (Scenario("version-mixed", upgraded, 40),)
