"""nah, a deterministic guard for coding agents' shells, as it comes: no configuration, no model.

``python nah_side.py FILE here`` counts what it asks and blocks. It reads the scripts that a command runs;
the recorded commands come without their workspaces, so it asks wherever there is one. ``… with-scripts``
takes each of those for harmless, which it would not always: its true figure is between the two. It works in
an empty repository with an empty home. See side.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

from side import Vote, command_of, serve

NOT_THERE = "script not found"


def vote_of(decision: str, reason: str, trusts_scripts: bool) -> Vote:
    if decision == "allow" or (trusts_scripts and NOT_THERE in reason):
        return Vote.PASSED
    return Vote.PARKED


def engine(trusts_scripts: bool) -> Callable[[str], Vote]:
    from nah.bash import classify_command

    def judge(command: str) -> Vote:
        said = classify_command(command)
        return vote_of(said.final_decision, said.reason, trusts_scripts)

    return judge


if __name__ == "__main__":
    sys.argv[1] = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home  # before nah is imported, which looks there
        os.chdir(home)
        subprocess.run(["git", "init", "--quiet"], check=False)
        serve(command_of, engine(sys.argv[2] == "with-scripts"))
