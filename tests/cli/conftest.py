"""A tier that ``guardtier up`` runs, and the command line as a terminal would call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cli.forked import Forker
from guardtier_workers.supervisor import die_with_parent
from processes import killed_at_end, limited_life

GUARDTIER = [sys.executable, "-m", "guardtier_workers.cli"]
END_SECONDS = 180

_forker = cache(Forker)


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    yield
    _forker().close()


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """Runs commands with one state directory."""

    state: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GUARDTIER_")}
        return kept | {"GUARDTIER_STATE_DIR": str(self.state), "GUARDTIER_CONSOLE__PORT": "0"}

    def run(self, *args: str, stdin: bytes = b"", **env: str) -> Done:
        done = _forker().run(args, env=self.env | env, stdin=stdin, timeout=120)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def running(self, *args: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command while it runs; killed where the block ends without its end, or after 150 s."""
        with self.start(*args) as process, killed_at_end(process, 150):
            yield process

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*GUARDTIER, *args],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
        )


@dataclass(frozen=True)
class Up:
    """A tier that runs in the background. ``body`` is what it said when it was ready."""

    terminal: Terminal
    process: subprocess.Popen[bytes]
    body: dict[str, Any]

    @property
    def pids(self) -> list[int]:
        return list(self.body["processes"].values())


def start_up(terminal: Terminal, *options: str, console: bool = False) -> Up:
    """A tier that is ready; the console takes a second longer."""
    process = terminal.start("up", "--json", *options, *([] if console else ["--no-console"]))
    assert process.stdout is not None
    with limited_life(process, END_SECONDS):
        line = process.stdout.readline()
    if not line:
        _, said = process.communicate(timeout=END_SECONDS)
        raise AssertionError(f"up did not come up: {said.decode()}")
    return Up(terminal, process, json.loads(line))


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    """Ctrl-C; the exit code, and what it said on standard error."""
    process.send_signal(how)
    with limited_life(process, END_SECONDS):  # what it started dies with it, and lets go of its pipes
        _, said = process.communicate(timeout=2 * END_SECONDS)
    return process.returncode, said.decode()


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """No tier runs, and nothing is left from earlier."""
    return Terminal(tmp_path / "state")


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One tier for all tests that don't end it."""
    found = start_up(Terminal(tmp_path_factory.mktemp("up")))
    yield found
    code, said = end(found.process)
    assert (code, said) == (0, "ending; workers finish what they hold\n")


def sequence(lines: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
