"""What the README shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from cli.conftest import Up

README = Path(__file__).parents[2] / "README.md"


def test_the_ten_lines_guard_an_agent(up: Up) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    env = os.environ | {"GUARDTIER_REDIS_URL": up.terminal.run("url").out.strip()}

    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=90, check=True
    )

    assert done.stdout == "run it\n"


def test_the_commands_that_it_names_exist(up: Up) -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|bin/)guardtier ([a-z]+)", text.partition("## Try it")[2], re.MULTILINE))
    known = set(re.findall(r"^  ([a-z]+) ", up.terminal.run("--help").out, re.MULTILINE))

    assert {"submit", "pending", "approve", "worker"} <= named <= known
