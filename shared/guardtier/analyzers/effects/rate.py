"""Risk of an effect on a place, with the sentence that says so (``data/matrix.toml``)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from guardtier.analyzers.effects.hosts import host_of
from guardtier.analyzers.effects.targets import Place, place_of
from guardtier.risk import SecurityRisk

_SHOWN = 80  #: characters of a target in a message

#: What is done to these is no technique of an attacker's unless it is HIGH.
_EVERYDAY = frozenset({"workspace", "temp", "homework", "unknown", "library", "stdin", "external", "local"})
_ON_HOSTS = frozenset({"send", "receive"})


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verb: str
    default: Literal["LOW", "MEDIUM", "HIGH"]
    HIGH: list[str] = []
    MEDIUM: list[str] = []
    LOW: list[str] = []
    attack: str | None = None  #: where neither ``attacks`` nor, with ``by_place``, the place names one
    attacks: dict[str, str] = {}
    by_place: bool = False
    fix: str | None = None

    def technique(self, place: Place) -> str | None:
        """The ATT&CK technique of this effect on that place."""
        own = place.attack if self.by_place else None
        return self.attacks.get(place.name) or own or self.attack


class Rated(NamedTuple):
    """One reason, before it is a Finding."""

    id: str
    risk: SecurityRisk
    message: str
    span: tuple[int, int]


@cache
def _matrix() -> dict[str, _Row]:
    text = files(__package__).joinpath("data/matrix.toml").read_text(encoding="utf-8")
    return {effect: _Row.model_validate(row) for effect, row in tomllib.loads(text).items()}


@cache
def risk_of(effect: str, place: str) -> SecurityRisk:
    row = _matrix()[effect]
    for level in (SecurityRisk.HIGH, SecurityRisk.MEDIUM, SecurityRisk.LOW):
        if place in getattr(row, level.value):
            return level
    return SecurityRisk(row.default)


def target_of(effect: str, text: str, cwd: str) -> Place:
    """The place that an effect reaches: of hosts for what goes over the network, else of paths."""
    return host_of(text) if effect in _ON_HOSTS else place_of(text, cwd)


def rated(effect: str, place: Place, text: str, span: tuple[int, int], risk: SecurityRisk) -> Rated:
    name, before, after = _frame(effect, place, risk)
    return Rated(name, risk, before + shown(text) + after, span)


@cache
def _frame(effect: str, place: Place, risk: SecurityRisk) -> tuple[str, str, str]:
    """The finding's id, and what stands before and after the target in its message."""
    row = _matrix()[effect]
    fix = row.fix if risk is SecurityRisk.HIGH else None
    everyday = risk is not SecurityRisk.HIGH and place.name in _EVERYDAY
    after = sentence("", None if everyday else row.technique(place), fix)
    return f"shell.{effect}.{place.name}", f"{row.verb} {place.words}: ", after


def sentence(text: str, attack: str | None, fix: str | None = None) -> str:
    """A finding's message: what it does, the technique, what would make it safe."""
    technique = f" (ATT&CK {attack})" if attack else ""
    text = text.rstrip(".") + technique + "."
    return f"{text} {fix}" if fix else text


def shown(text: str) -> str:
    """A word as messages show it: short, and without what could confuse a terminal."""
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
