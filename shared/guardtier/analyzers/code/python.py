"""PythonSecurityAnalyzer: rates Python by what its calls do to files, programs, data and the network."""

from __future__ import annotations

from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.code.harm import shell_findings
from guardtier.analyzers.code.prefilter import prefilter
from guardtier.analyzers.code.reader import is_python, rate_text
from guardtier.analyzers.code.source import Report
from guardtier.analyzers.code.unrun import runs_nothing, unrun
from guardtier.analyzers.parts import MAX_PARTS
from guardtier.analyzers.tools import tools
from guardtier.analyzers.view import Call, CodePart, View, view_of
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk

MAX_FOLLOWED = 256  #: of them, those that call something: 2 ms each, and a MiB may hold 70,000


class PythonSecurityAnalyzer(SecurityAnalyzer):
    """Looks at a Python tool's code, at Python in shell commands and in files that are written.

    LOW is only voted for a Python tool whose code could be parsed; code that stands in something else
    leaves that to whoever reads the rest.
    """

    name: ClassVar[str] = "python"
    cheap: ClassVar[bool] = True

    def __init__(self) -> None:
        prefilter()  # what is wrong in the rules shows when the analyzer is built, not at its first action

    def concerns(self, call: Call) -> bool:
        return not call.plain

    def assess(self, action: ActionEvent) -> Assessment:
        view = view_of(action)
        parts = view.code("python") or _commands_of(view)
        if not parts:
            return view.vote()
        findings: list[Finding] = []
        own = view.kind == "python"
        clear = own
        followed = 0
        for number, part in enumerate(parts):
            report = Report(part)
            if number >= MAX_PARTS or followed >= MAX_FOLLOWED:
                message = "Holds more pieces of code than are read. Split it up."
                report.add("python.obscured.size", SecurityRisk.HIGH, message, (0, len(report.text)))
                findings += report.findings
                clear = False
                break
            clear = _rate(report, findings, own, view) and clear
            followed += report.followed
        return view.vote(findings, SecurityRisk.LOW if clear else SecurityRisk.UNKNOWN)


def _commands_of(view: View) -> tuple[CodePart, ...]:
    """What a Python tool without an argument named like code is told to run: Python, it seems."""
    if view.kind != "python":
        return ()
    names = tools().roles["command"]
    fields = [field for field in view.texts if field.exact and field.key in names]
    return tuple(CodePart(field, field.text, (0, len(field.text))) for field in fields)


def _rate(report: Report, findings: list[Finding], own: bool, view: View) -> bool:
    """Whether nothing is left that could not be told. ``own``: it is all that the tool is given."""
    clear = rate_text(report)
    if own and not report.findings and not is_python(report.text):
        clear = False
        report.adopt(shell_findings(report.text), (0, len(report.text)))  # notebooks take commands too
    found = report.findings
    if report.part.written:  # what is only written does not run yet: that it can't be told does no harm
        found = [finding for finding in found if finding.risk is not SecurityRisk.UNKNOWN]
        if found and runs_nothing(view):
            found = [unrun(finding) for finding in found]
    findings += found
    return clear and all(finding.risk is not SecurityRisk.UNKNOWN for finding in found)
