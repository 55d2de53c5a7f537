"""rate and rate_python: what is said of one command line, and of the code that a tool is given."""

from __future__ import annotations

from guardtier.action import ActionEvent
from guardtier.analyzers.code import PythonSecurityAnalyzer
from guardtier.analyzers.effects.rate import Rated
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell_analyzer import rate_script
from guardtier.assessment import Assessment

_ORDER = ("HIGH", "UNKNOWN", "MEDIUM", "LOW")
_PYTHON = PythonSecurityAnalyzer()


def rate(command: str) -> tuple[str, list[Rated]]:
    """The highest risk, and all findings."""
    found = rate_script(read(command), command)
    risks = {rated.risk.value for rated in found}
    return next((risk for risk in _ORDER if risk in risks), "LOW"), found


def rate_python(code: str, tool: str = "python", argument: str = "code") -> Assessment:
    action = ActionEvent(fleet="f", agent="a", tool_name=tool, arguments={argument: code})
    found = _PYTHON.assess(action)
    assert isinstance(found, Assessment)
    return found
