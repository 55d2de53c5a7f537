"""What the README shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from cli.conftest import Up

ROOT = Path(__file__).parents[2]
README, AGENTS = ROOT / "README.md", ROOT / "docs" / "agents.md"


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


AN_AGENT = """
from pathlib import Path


async def main():
    async def run(tool, arguments):
        return f"{tool} ran {arguments['command']}"

    calls = [
        {"type": "tool_use", "name": "terminal", "input": {"command": "ls", "security_risk": "LOW"}},
        {"name": "terminal", "args": {"command": "git push"}},
        {"name": "terminal", "command": "rm -rf /"},
    ]
    async with GuardClient(os.environ["GUARDTIER_REDIS_URL"], fleet="default", accept_edits=True) as guard:
        print(*await run_step(guard, calls, run), sep="\\n")
        action = ActionEvent(fleet="default", agent="me", tool_name="terminal", arguments={"command": "ls"})
        verdicts = [await asked_again(guard, action, Path("action.json")) for _ in range(2)]
        print(verdicts[0] == verdicts[1])


asyncio.run(main())
"""


def test_the_lines_of_an_agent_run_what_is_released_and_nothing_else(up: Up, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", AGENTS.read_text(encoding="utf-8"), re.DOTALL)
    env = os.environ | {"GUARDTIER_REDIS_URL": up.terminal.run("url").out.strip()}

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(["import os", *code, AN_AGENT])],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )

    released, pushed, refused, same = done.stdout.splitlines()
    assert (released, pushed) == ("terminal ran ls", "terminal ran git push")
    assert refused.startswith("The tool was not run: no tool call")
    assert same == "True"
