"""Examined: what can be said of a policy file's text. A process of its own finds it out (``child.py``)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from guardtier.policy.masks import GlobMasks, bits_of
from guardtier.policy.rules import Rule
from guardtier.policy.ruling import Effect
from guardtier.policy.section import FleetSection


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Wrong(_Frozen):
    """Why a text can't be used. ``field``: ``rule.NAME.key``; ``line`` and ``column`` count from 1."""

    message: str
    field: str | None = None
    line: int | None = None
    column: int | None = None


class TestOutcome(_Frozen):
    """How one of the file's own tests ended. ``wrong``: what is not as expected, empty where it passed."""

    __test__ = False  # nothing for pytest to collect

    name: str
    passed: bool
    expect: Effect
    got: Effect | None
    rules: tuple[str, ...] = ()
    wrong: str = ""


class Difference(_Frozen):
    """From what stands to the text: rules by their names, then the lines (``+``, ``-``, ``@@``).

    ``cut``: there are more lines than are told here.
    """

    same: bool
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    cut: bool = False


class Examined(_Frozen):
    """``wrong``: it can't be read, or names what the settings don't have; all else is empty then.

    ``tests`` and ``difference`` are there where they were asked for.
    """

    wrong: Wrong | None = None
    rules: tuple[Rule, ...] = ()
    fleets: dict[str, FleetSection] = {}
    test_count: int = 0
    tests: tuple[TestOutcome, ...] = ()
    advice: tuple[str, ...] = ()
    difference: Difference | None = None

    def rules_in(self, fleets: Iterable[str]) -> list[Rule]:
        """The rules that may decide in one of these fleets, in the file's order."""
        mask = 0
        for fleet in fleets:
            mask |= self._by_fleet.of(fleet)
        return [self.rules[number] for number in bits_of(mask)]

    @cached_property
    def _by_fleet(self) -> GlobMasks:
        return GlobMasks((rule.fleet, 1 << number) for number, rule in enumerate(self.rules))

    @property
    def failed(self) -> tuple[TestOutcome, ...]:
        """The tests that did not pass."""
        return tuple(one for one in self.tests if not one.passed)
