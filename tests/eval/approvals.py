"""What lies between a person's yes and the tool: LangGraph, the OpenAI Agents SDK and guardtier, in turn.

``python tests/eval/approvals.py [--rounds N]``. Installs the two at first, in environments of their own.
docs/compare.md says what the questions are, and what the answers mean. Reported, not gated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import environment

HERE = Path(__file__).parent
RIVALS = {
    "LangGraph 1.2.22": ("langgraph", HERE / "rivals" / "langgraph_resume.py"),
    "OpenAI Agents 0.24.0": ("agents", HERE / "rivals" / "agents_resume.py"),
}
OURS = "guardtier"
MOST_SECONDS = 300
Said = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sides: dict[str, list[Said]] = {}
    commands = {
        name: [environment.python_of(library, HERE / "rivals"), str(program)]
        for name, (library, program) in RIVALS.items()
    }
    commands[OURS] = [sys.executable, str(HERE / "guardtier_resume.py")]
    for _ in range(options.rounds):
        for name, command in commands.items():
            sides.setdefault(name, []).append(_ask(command))
    print("\n".join(told(sides)))
    return 0


def _ask(command: list[str]) -> Said:
    env = os.environ | {"OPENAI_API_KEY": "-"}  # looked for, and not used: the model is a program
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=MOST_SECONDS, env=env)
    return dict(json.loads(done.stdout))


def told(sides: Mapping[str, Sequence[Said]]) -> list[str]:
    """A paragraph a question, a line a side: the median of all rounds, and each answer that was given."""
    said = []
    for how in _keys(sides, "ms"):
        said += ["", f"ms from the yes to the tool, {how}"]
        for name, rounds in sides.items():
            if took := [one["ms"][how] for one in rounds if how in one["ms"]]:
                spread = f"({min(took):.2f} to {max(took):.2f})"
                said.append(f"  {name:<24}{statistics.median(took):.2f} {spread}")
    for question in _keys(sides, "answers"):
        said += ["", question]
        for name, rounds in sides.items():
            given = [one["answers"] for one in rounds if question in one["answers"]]
            if answers := dict.fromkeys(one[question] for one in given):
                said.append(f"  {name:<24}{' / '.join(answers)}")
    return said[1:]


def _keys(sides: Mapping[str, Sequence[Said]], part: str) -> list[str]:
    """Every question of any side, in the order in which they are asked."""
    return list(dict.fromkeys(key for rounds in sides.values() for one in rounds for key in one[part]))


if __name__ == "__main__":
    sys.exit(main())
