"""The tables of tests/families: every family of programs is rated as they say."""

from __future__ import annotations

import pytest

from families import (
    cloud,
    consoles,
    containers,
    databases,
    download,
    git,
    kubernetes,
    machine,
    network,
    operations,
    packages,
    terraform,
)
from rating import rate

FAMILIES = (
    cloud,
    consoles,
    containers,
    databases,
    download,
    git,
    kubernetes,
    machine,
    network,
    operations,
    packages,
    terraform,
)
HIGH = [row for family in FAMILIES for row in family.HIGH]
MEDIUM = [command for family in FAMILIES for command in family.MEDIUM]
LOW = [command for family in FAMILIES for command in family.LOW]


@pytest.mark.parametrize(("command", "finding"), HIGH)
def test_harm_is_high_and_says_why(command, finding):
    risk, found = rate(command)

    assert risk == "HIGH"
    assert finding in {rated.id for rated in found}


@pytest.mark.parametrize("command", MEDIUM)
def test_work_of_the_task_is_medium(command):
    assert rate(command)[0] == "MEDIUM"


@pytest.mark.parametrize("command", LOW)
def test_looking_is_low(command):
    assert rate(command)[0] == "LOW"
