"""Puts the commands together. A new command is a function in a file of its own, and a line here.

Only what the command line names is imported: all of them together take 0.3 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import typer

HELP = """The guard tier that a fleet of AI agents shares.

Exit codes: 0 done or allowed, 1 the tier says no, 2 wrong command line or settings, 3 not allowed
(rejected, expired, parked), 4 the tier can't be reached or did not answer in time, 130 Ctrl-C.
"""

#: Command → its function: ``file.function`` in this folder.
COMMANDS: Mapping[str, str] = {
    "up": "up.up",
    "worker": "work.worker",
    "console": "console.console",
    "submit": "submit.submit",
    "pending": "pending.pending",
    "show": "show.show",
    "approve": "answer.approve",
    "reject": "answer.reject",
    "edit": "edit.edit",
    "review": "review.review",
    "halt": "halt.halt",
    "resume": "halt.resume",
    "halts": "halt.halts",
    "watch": "watch.watch",
    "check": "check.check",
    "doctor": "doctor.doctor",
    "analyzers": "analyzers.analyzers",
    "url": "listing.url",
    "version": "listing.version",
}
#: Family → what it is for, and its commands.
FAMILIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "acl": (
        "Makes the roles of Redis' ACL: each part's credential may do what its work needs, and no more.",
        {"file": "acl.file", "agents": "acl.agents"},
    ),
    "fleet": ("Registers fleets.", {"add": "fleet.add", "list": "fleet.list_fleets"}),
    "approver": (
        "Names who may answer.",
        {
            "add": "approver.add",
            "list": "approvers.list_approvers",
            "rotate": "approvers.rotate",
            "remove": "approvers.remove",
        },
    ),
    "channel": (
        "Says where notices of what waits go.",
        {"list": "channel.list_channels", "test": "channel.try_out"},
    ),
    "grants": (
        "Shows and ends what is remembered of approvals.",
        {"list": "grants.list_grants", "suggest": "grants.suggest", "revoke": "grants.revoke"},
    ),
    "dead": (
        "Shows what no worker could handle, and tries it again.",
        {"list": "dead.list_dead", "retry": "dead.retry"},
    ),
    "audit": (
        "Verifies, searches and hands out the audit trail.",
        {
            "verify": "audit.verify",
            "checkpoint": "audit.checkpoint",
            "status": "audit_status.status",
            "forget": "audit_status.forget",
            "export": "audit_export.export",
            "search": "audit_export.search",
            "fingerprint": "fingerprint.fingerprint",
        },
    ),
    "trace": ("Shows what conversations came to.", {"export": "trace.export"}),
    "keys": (
        "Tends the keys that verdicts are signed with.",
        {
            "new": "keys.new",
            "list": "keys.list_keys",
            "public": "keys.public",
            "rotate": "keys.rotate",
            "check": "keys.check",
        },
    ),
    "policy": (
        "Says what a fleet's actions wait for, while the tier runs.",
        {
            "show": "policy.show",
            "set": "policy.set_policy",
            "reset": "policy.reset",
            "diff": "policy_standing.diff",
            "replay": "policy_replay.replay",
            "check": "policy_file.check",
            "test": "policy_file.run_tests",
        },
    ),
}


def build(arguments: Sequence[str] = ()) -> Callable[..., Any]:
    """The command line, to be called with ``args``: what these need of it; all of it for any others."""
    app = _group(HELP)
    called = arguments[0] if arguments else ""
    alone = called in COMMANDS or called in FAMILIES
    for name, where in COMMANDS.items():
        if not alone or name == called:
            app.command(name)(_function(where))
    for name, (purpose, commands) in FAMILIES.items():
        if not alone or name == called:
            app.add_typer(_family(purpose, commands), name=name)
    if alone:
        app.callback()(_nothing)  # else typer takes the only command for the whole line
    built: Callable[..., Any] = typer.main.get_command(app).main
    return built


def _nothing() -> None:
    """What comes before a command: nothing."""


def _family(purpose: str, commands: Mapping[str, str]) -> typer.Typer:
    family = _group(purpose)
    family.callback()(_nothing)
    for name, where in commands.items():
        family.command(name)(_function(where))
    return family


def _function(where: str) -> Callable[..., Any]:
    file, _, name = where.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"guardtier_workers.cli.{file}"), name)
    return found


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
