"""Policies of a few lines, and facts to ask them about."""

from __future__ import annotations

from typing import Any

from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.file import PolicyFile
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.risk import SecurityRisk


def parsed(text: str) -> PolicyFile:
    return PolicyFile.parse(f"version = 1\n{text}", name="p.toml")


def compiled(text: str) -> CompiledPolicy:
    return parsed(text).compiled()


def rule(name: str = "r", outcome: str = "park", more: str = "") -> str:
    return f'[[rule]]\nname = "{name}"\noutcome = "{outcome}"\n{more}\n'


def facts(**given: Any) -> Facts:
    known: dict[str, Any] = {
        "fleet": "web",
        "agent": "coder-1",
        "tool": "terminal",
        "risk": SecurityRisk.MEDIUM,
        "conversation": "c-1",
    }
    return Facts(**{**known, **given})


def released(_: Facts) -> Ruling:
    """A default that releases everything."""
    return Ruling(Effect.RELEASE, "default")


def parked(_: Facts) -> Ruling:
    """A default that parks everything."""
    return Ruling(Effect.PARK, "default")


def ruled(text: str, given: Facts | None = None, default: Any = released) -> Ruling:
    return compiled(text).rule(given or facts(), default, "file@7")
