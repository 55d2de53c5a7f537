"""Unrun: what code in a file comes to that an action writes and does not run.

What a program does to the machine (credentials, autorun, the system's files, shells for others) is rated as
if it ran. What most applications do (requests, mails, uploads, statements to their own database) is theirs:
the file sends nothing yet. Measured: of 23 modules as agents write them every day, 10 were HIGH for that.
"""

from __future__ import annotations

from guardtier.analyzers.view import View
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

_DEEDS = (
    "python.network.send",
    "python.network.upload",
    "python.network.mail_sent",
    "python.network.ftp",
    "python.network.request",
    "python.network.fetch",
    "python.network.delete",
    "python.network.scan",
    "python.network.tunnel",
    "python.network.file_server",
    "python.send.",
    "python.data.destroyed",
    "python.credentials.store",
    "sql.",
)
#: They print, place, check and keep files, and run none.
_KEEPING = frozenset(
    [
        *(
            "cat",
            "tee",
            "echo",
            "printf",
            "mkdir",
            "cd",
            "ls",
            "wc",
            "head",
            "tail",
            "chmod",
            "touch",
            "git",
        ),
        *("true", "pwd", "test", "[", "ruff", "black", "mypy", "flake8", "isort", "pyright", "pylint"),
    ]
)


def runs_nothing(view: View) -> bool:
    """Whether the action only writes files: by a tool for files, or by commands that run none."""
    if view.kind == "file-write":
        return True
    commands = [command for _, script in view.scripts for command in script.commands]
    return bool(commands) and all(command.program in _KEEPING for command in commands)


def unrun(finding: Finding) -> Finding:
    """The finding, as it counts for code that is not run."""
    if not finding.id.startswith(_DEEDS):
        return finding
    family, _, deed = finding.id.partition(".")
    risk = SecurityRisk.MEDIUM if finding.risk is SecurityRisk.HIGH else finding.risk
    return finding.model_copy(update={"id": f"{family}.unrun.{deed.replace('.', '_')}", "risk": risk})
