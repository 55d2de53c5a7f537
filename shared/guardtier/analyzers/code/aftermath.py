"""Aftermath: what several calls of one text come to together: fetched then run, connected and computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from guardtier.analyzers.code.harm import is_everything, risk_at, shell_findings
from guardtier.analyzers.code.rules import Call
from guardtier.analyzers.code.source import Report
from guardtier.analyzers.code.statements import created_in, sql_findings
from guardtier.analyzers.code.value import HOLE
from guardtier.analyzers.view import Span
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

_FOUND = "Deletes or overwrites what it finds below a directory that is not the task's (ATT&CK T1485)."
_LEAVES = "Sends data, and has gone through what is a person's own (ATT&CK T1041)."
_SEARCHES = "Searches the whole machine or a home directory for passwords or keys (ATT&CK T1552.001)."
#: A literal that says what is looked for in files, or by which names.
_SOUGHT = re.compile(
    r"""["'][^"'\n]*(?:passw|secret|api.?key|token|credential|PRIVATE[ ]KEY|AKIA|\.pem\b|\.key\b|"""
    r"""\bid_rsa|\.kdbx|wallet|\.p12\b|\.pfx\b)""",
    re.IGNORECASE,
)
_MEMORY = re.compile(r":memory:|(?:sqlite|duckdb)(?:\+\w+)?://(?:/:memory:)?")
#: A table that is made anew: it is dropped where it is there, and made.
_ANEW = re.compile(r"\s*drop\s+table\s+if\s+exists\b", re.IGNORECASE)
_FILE = re.compile(r"(?i)^(?!\w+://)[\w./~-]+\.(?:db|sqlite3?|duckdb)$")
_EMPTYING = ("sql.delete", "sql.drop", "sql.update", "sql.truncate")
_BESIDE = "Starts a shell beside a connection, as remote shells do (ATT&CK T1059.006)."
_SHELL = re.compile(
    r"(?:\S*/)?(?:(?:ba|z|da|k|a)?sh(?: -i| -l| --login)*|cmd(?:\.exe)?(?: /[qQ])?|powershell(?:\.exe)?)"
)
#: An interpreter is given a file of which nothing is known.
_UNNAMED = re.compile(
    r"(?:\S*/)?(?:(?:ba|z|da|k|a)?sh|python[\d.]*|perl|ruby|node) \"?\$unknown\"?(?: .*)?", re.DOTALL
)
_SHORT = 2  #: characters of a path that say too little to look for it


@dataclass(slots=True)
class Aftermath:
    """What the calls did, collected in any order."""

    fetched: bool = False  #: something from the network was saved
    connected: bool = False  #: it holds a connection that others send through
    written: set[str] = field(default_factory=set)  #: paths
    contents: list[tuple[Span, str]] = field(default_factory=list)  #: texts that were written
    ran: list[tuple[Span, str]] = field(default_factory=list)  #: command lines, and files that were run
    imported: list[tuple[Span, str]] = field(default_factory=list)  #: directories that it imports from
    computed: list[Span] = field(default_factory=list)  #: commands that can't be told
    sql: list[tuple[Span, str]] = field(default_factory=list)
    walked: list[str] = field(default_factory=list)  #: directories, not the task's, with all below
    deleted: list[tuple[Span, str]] = field(default_factory=list)  #: paths of which a part is not known
    overwritten: list[tuple[Span, str]] = field(default_factory=list)  #: the same

    looked: list[tuple[Span, str]] = field(default_factory=list)  #: files that are read, the same

    opened: list[str] = field(default_factory=list)  #: databases
    destroyed: list[tuple[Span, Call]] = field(default_factory=list)  #: all that is in databases
    private: bool = False  #: it has gone through what is a person's own
    sent: list[Span] = field(default_factory=list)  #: data, to elsewhere

    def rate(self, report: Report, rate_python: Callable[[str, Span], None]) -> None:
        in_memory = self._in_memory()
        self._rate_sql(report, in_memory)
        for span, rule in self.destroyed:
            risk = SecurityRisk.MEDIUM if in_memory else rule.risk or SecurityRisk.HIGH
            report.add(rule.id or "python.call", risk, rule.text, span)
        if self.private:
            for span in self.sent:
                report.add("python.network.exfiltration", SecurityRisk.HIGH, _LEAVES, span)
        if self.fetched:
            self._rate_downloads(report)
        if self.connected:
            for span in self.computed:
                message = (
                    "Holds a connection and runs what can't be told: commands may come over the network"
                )
                report.add(
                    "python.shell.reverse", SecurityRisk.HIGH, f"{message} (ATT&CK T1059.006).", span
                )
            for span, line in self.ran:
                if _SHELL.fullmatch(line):
                    report.add("python.shell.reverse", SecurityRisk.HIGH, _BESIDE, span)
        self._rate_walks(report)
        self._rate_searches(report)
        if any(path.endswith(".py") for path in self.written):
            for span, text in self.contents:
                rate_python(text, span)
        if any(path.endswith((".sh", ".bash")) for path in self.written):
            for span, text in self.contents:
                report.adopt(shell_findings(text), span)

    def _in_memory(self) -> bool:
        """Whether all databases that it opens are in memory, and none is added by a statement."""
        attached = any("attach" in text.lower() for _, text in self.sql)
        return bool(self.opened) and not attached and all(map(_MEMORY.fullmatch, self.opened))

    def _in_files(self) -> bool:
        """Whether all databases that it opens are files of the task's own."""
        return bool(self.opened) and all(
            _FILE.search(one) is not None and risk_at("delete", one) is not SecurityRisk.HIGH
            for one in self.opened
        )

    def _rate_sql(self, report: Report, in_memory: bool) -> None:
        """In the order of the text: to drop what was created before is cleaning up."""
        created: dict[str, int] = {}
        again = {name for _, text in self.sql for name in created_in(text)} if self._in_files() else set()
        for span, text in sorted(self.sql):
            anew = _ANEW.match(text)
            known = created | dict.fromkeys(again, 0) if anew and again else created
            found = sql_findings(text, report.part, known)
            if in_memory:
                found = [_harmless(one) if one.id.startswith(_EMPTYING) else one for one in found]
            report.adopt(found, span)
            created |= dict.fromkeys(created_in(text), 0)

    def _rate_walks(self, report: Report) -> None:
        """What it finds below a whole home, and deletes or overwrites there, is not the task's."""
        tops = tuple(f"{top.rstrip('/')}/" for top in self.walked)
        if not tops:
            return
        found = [span for span, text in (*self.deleted, *self.overwritten) if text.startswith(tops)]
        for span in (*found, *(span for span, text in self.deleted if text.startswith(HOLE))):
            report.add("python.delete.found", SecurityRisk.HIGH, _FOUND, span)

    def _rate_searches(self, report: Report) -> None:
        """What it reads of all that is on the machine or in a home, and looks for secrets in."""
        tops = [top for top in self.walked if is_everything(top)]
        if tops and _SOUGHT.search(report.text):
            tops = [f"{top.rstrip('/')}/" for top in tops]
            for span, text in self.looked:
                if text.startswith((HOLE, *tops)):
                    report.add("python.credentials.search", SecurityRisk.HIGH, _SEARCHES, span)

    def _rate_downloads(self, report: Report) -> None:
        paths = [path for path in self.written if len(path.strip(f"./{HOLE}")) >= _SHORT]
        unnamed = [span for span, line in self.ran if _UNNAMED.fullmatch(line)]
        for span in (*unnamed, *self.computed):
            message = "Saves what it fetches, and runs a file that can't be told (ATT&CK T1105). Name it."
            report.add("python.run.downloaded", SecurityRisk.HIGH, message, span)
        for span, line in self.ran:
            if any(path in line for path in paths):
                message = "Runs a file that it has fetched before (ATT&CK T1105). Read it before it is run."
                report.add("python.run.downloaded", SecurityRisk.HIGH, message, span)
        for span, folder in self.imported:
            if any(path.startswith(folder) for path in paths):
                message = "Imports from where it has saved what it fetched (ATT&CK T1105). Read it first."
                report.add("python.run.downloaded", SecurityRisk.HIGH, message, span)


def _harmless(finding: Finding) -> Finding:
    """What is said of a table that nobody else sees."""
    return finding.model_copy(update={"risk": SecurityRisk.MEDIUM})
