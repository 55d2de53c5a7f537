"""Checks of policy files in their own process: analyzers that print, texts that TOML has trouble with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from console.policies import TESTED, admin
from consoles import Desk, StartConsole
from tier import StartTier

LOUD = """
from guardtier import SecurityRisk
from guardtier.analyzers.base import SecurityAnalyzer

print("loaded")


class Loud(SecurityAnalyzer):
    def security_risk(self, action):
        print("looking at", action.tool_name)
        return SecurityRisk.HIGH
"""


async def test_an_analyzer_that_prints_does_not_break_the_check(
    start_tier: StartTier, start_console: StartConsole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_analyzer.py").write_text(LOUD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    tier = await start_tier(analyzers=0)
    tier.settings = tier.settings.model_copy(update={"analyzers": ("loud_analyzer:Loud",)})
    olga = await admin(await start_console(tier))

    answer = await olga.post("/api/v1/policy-file/check", json={"text": TESTED})

    assert (answer.status_code, answer.json().get("ok")) == (200, True), answer.text


async def test_a_number_that_is_too_long_is_told_as_what_is_wrong(console: Desk) -> None:
    olga = await admin(console)

    answer = await olga.post("/api/v1/policy-file/check", json={"text": f"version = {'9' * 5000}\n"})

    assert answer.status_code == 200, answer.text
    assert "a number that is too long" in answer.json()["wrong"]["message"]
