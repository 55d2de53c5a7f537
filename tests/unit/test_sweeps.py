"""While an action is assessed, Python's garbage collection waits; before and after, it is as it was."""

from __future__ import annotations

import gc

import pytest

from guardtier.action import ActionEvent
from guardtier.analyzers import EnsembleSecurityAnalyzer, SecurityAnalyzer
from guardtier.analyzers.sweeps import unswept
from guardtier.assessment import Assessment
from guardtier.risk import SecurityRisk


class Watching(SecurityAnalyzer):
    """Notes whether the collection is on."""

    name = "watching"
    cheap = True

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def assess(self, action: ActionEvent) -> Assessment:
        self.seen.append(gc.isenabled())
        return Assessment(risk=SecurityRisk.LOW)


ACTION = ActionEvent(fleet="f", agent="a", tool_name="terminal", arguments={"command": "ls"})


def test_nothing_is_collected_while_children_look_at_an_action():
    watching = Watching()

    EnsembleSecurityAnalyzer([watching]).assess_cheaply(ACTION)

    assert (watching.seen, gc.isenabled()) == ([False], True)


async def test_nor_where_others_are_awaited():
    watching = Watching()

    await EnsembleSecurityAnalyzer([watching]).assess(ACTION)

    assert (watching.seen, gc.isenabled()) == ([False], True)


def test_what_raises_leaves_it_on():
    @unswept
    def fail() -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fail()

    assert gc.isenabled()


def test_who_has_turned_it_off_finds_it_off():
    gc.disable()
    try:
        EnsembleSecurityAnalyzer([Watching()]).assess_cheaply(ACTION)
        assert not gc.isenabled()
    finally:
        gc.enable()
