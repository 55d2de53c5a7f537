"""rate(command): what the tables say of one command line, for the rows of the families."""

from __future__ import annotations

from guardtier.analyzers.effects.rate import Rated
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell_analyzer import rate_script

_ORDER = ("HIGH", "UNKNOWN", "MEDIUM", "LOW")


def rate(command: str) -> tuple[str, list[Rated]]:
    """The highest risk, and all findings."""
    found = rate_script(read(command), command)
    risks = {rated.risk.value for rated in found}
    return next((risk for risk in _ORDER if risk in risks), "LOW"), found
