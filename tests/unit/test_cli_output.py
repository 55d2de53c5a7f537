"""What the command line tells people to type next."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guardtier_workers.cli.output import as_typed


@pytest.mark.parametrize(
    ("called", "on_path", "typed"),
    [
        (".venv/bin/guardtier", False, ".venv/bin/guardtier"),
        (".venv/bin/guardtier", True, "guardtier"),
        ("/src/guardtier_workers/cli/__main__.py", False, "guardtier"),
    ],
)
def test_a_hint_names_the_program_as_a_shell_finds_it(
    called: str, on_path: bool, typed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", [called, "up"])
    monkeypatch.setenv("PATH", str(tmp_path))
    if on_path:
        (tmp_path / "guardtier").touch(mode=0o755)

    assert as_typed() == typed
