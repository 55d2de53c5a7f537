"""SqlSecurityAnalyzer: rates SQL by what its statements do to data, accounts and the server."""

from __future__ import annotations

from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.code.statements import sql_findings, statements
from guardtier.analyzers.code.unrun import runs_nothing, unrun
from guardtier.analyzers.parts import MAX_PARTS, too_many
from guardtier.analyzers.view import Call, view_of
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk


class SqlSecurityAnalyzer(SecurityAnalyzer):
    """Looks at an SQL tool's statements, and at SQL that shell commands hand to a database's client."""

    name: ClassVar[str] = "sql"
    cheap: ClassVar[bool] = True

    def __init__(self) -> None:
        statements()  # what is wrong in the rules shows when the analyzer is built, not at its first action

    def concerns(self, call: Call) -> bool:
        return not call.plain

    def assess(self, action: ActionEvent) -> Assessment:
        view = view_of(action)
        parts = view.code("sql")
        if not parts:
            return view.vote()
        findings: list[Finding] = []
        if len(parts) > MAX_PARTS:
            findings.append(too_many("sql", "texts of SQL"))
        for part in parts[:MAX_PARTS]:
            found = sql_findings(part.text, part)
            findings += [unrun(one) for one in found] if part.written and runs_nothing(view) else found
        return view.vote(findings, SecurityRisk.LOW if view.kind == "sql" else SecurityRisk.UNKNOWN)
