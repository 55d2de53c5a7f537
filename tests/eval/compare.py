"""guardtier beside other guards: what each parks of the same rows, and what it costs.

``python tests/eval/compare.py [--rounds N] [--rivals all]``. All sides rate each file of EVAL_DATA in turn,
round after round, in one run: machines differ and drift, the ratio holds. An action's cost is its best of
all rounds. Without ``--rivals`` the OpenHands SDK alone is compared with; with it those of ``RIVALS``,
which are installed at first, each in an environment of its own. One that can't be installed, or fails, is
named. Ends with 1 where guardtier's own shares are below those of evaluate.py. Sides run on Pythons of
their own (the SDK needs 3.12).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from bench import environment
from comparison import Pass, lines
from evaluate import Result, Row, data_files, rate

from guardtier.settings import Settings
from guardtier_workers.cli.rating import Rater

SIDES = Path(__file__).with_name("rivals")
OURS = "guardtier"


class Rival(NamedTuple):
    """A guard to compare with: the name of its requirements in rivals/, and its side there."""

    library: str
    program: str
    variant: str


#: By what the table calls them. docs/compare.md says how each was chosen.
RIVALS = {
    "Agent Governance Toolkit 4.1.0, intents": Rival("agt", "agt_side.py", "intents"),
    "Agent Governance Toolkit 4.1.0, all": Rival("agt", "agt_side.py", "all"),
    "nah 0.11.0, scripts not at hand": Rival("nah", "nah_side.py", "here"),
    "nah 0.11.0, scripts taken for harmless": Rival("nah", "nah_side.py", "with-scripts"),
}


def main() -> int:
    options = _options()
    files = data_files()
    if not files:
        return 0
    commands = {"OpenHands SDK": _sdk(options.sdk_python)} | _rivals(options.rivals)
    failures: list[str] = []
    with Rater(Settings.load()) as rater:
        rater.warm()
        for file in files:
            rows = [orjson.loads(line) for line in file.open("rb")]
            sides, own = _in_turn(rater, file, rows, commands, options.rounds)
            print("\n".join(lines(file.stem, sides)), end="\n\n", flush=True)
            failures += own
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sdk_python", type=Path, help="the Python of an environment with openhands-sdk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", choices=["none", "all"], default="none")
    return parser.parse_args()


def _sdk(python: Path) -> list[Any]:
    if python.is_file():
        return [python, SIDES / "sdk_side.py"]
    print(f"the OpenHands SDK is not installed: no {python}", file=sys.stderr)
    return []


def _rivals(which: str) -> dict[str, list[Any]]:
    """The command of each rival that can be installed."""
    pythons: dict[str, str] = {}
    for library in sorted({one.library for one in RIVALS.values()}) if which == "all" else ():
        try:
            pythons[library] = environment.python_of(library, SIDES)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{library} can't be installed: {error}", file=sys.stderr)
    return {
        name: [pythons[one.library], SIDES / one.program, one.variant] if one.library in pythons else []
        for name, one in (RIVALS if which == "all" else {}).items()
    }


def _in_turn(
    rater: Rater, file: Path, rows: list[dict[str, Any]], commands: dict[str, list[Any]], rounds: int
) -> tuple[dict[str, list[Pass]], list[str]]:
    """Every side's passes over a file, ours last, and where ours falls short."""
    sides: dict[str, list[Pass]] = {name: [] for name in (*commands, OURS)}
    failures: list[str] = []
    with ExitStack() as running:
        others = {
            name: running.enter_context(Side([*command[:2], file.resolve(), *command[2:]]))
            for name, command in commands.items()
            if command
        }
        for _ in range(rounds):
            for name, side in others.items():
                sides[name] += side.one_pass()
            result = Result(file.stem, [Row(data, rate(rater, data)) for data in rows])
            sides[OURS].append(_pass(result))
            failures = [*result.failures()]
    return sides, failures


class Side:
    """A side's process. One that has ended gives no passes."""

    def __init__(self, command: list[Any]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):  # it has ended, and what it was sent was not read
            self._stdin.close()
        self._stdout.close()
        self._process.wait()

    def one_pass(self) -> Iterator[Pass]:
        try:
            self._stdin.write(b"again\n")
            self._stdin.flush()
        except BrokenPipeError:
            return
        if said := self._stdout.readline():
            answer = orjson.loads(said)
            yield Pass({name: tuple(hits) for name, hits in answer["hits"].items()}, answer["us"])


def _pass(result: Result) -> Pass:
    expects = dict.fromkeys(row.expect for row in result.rows)
    return Pass(
        {expect: result.share(expect) for expect in expects}, [row.rating.us for row in result.rows]
    )


if __name__ == "__main__":
    sys.exit(main())
