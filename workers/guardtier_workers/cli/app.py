"""Puts the commands together. A new command is a function in a file of its own, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from guardtier_workers.cli.analyzers import analyzers
from guardtier_workers.cli.answer import approve, reject
from guardtier_workers.cli.approver import add as approver_add
from guardtier_workers.cli.channel import list_channels, try_out
from guardtier_workers.cli.check import check
from guardtier_workers.cli.doctor import doctor
from guardtier_workers.cli.edit import edit
from guardtier_workers.cli.fleet import add as fleet_add
from guardtier_workers.cli.fleet import list_fleets
from guardtier_workers.cli.grants import list_grants
from guardtier_workers.cli.grants import revoke as grants_revoke
from guardtier_workers.cli.grants import suggest as grants_suggest
from guardtier_workers.cli.halt import halt, halts, resume
from guardtier_workers.cli.listing import url, version
from guardtier_workers.cli.pending import pending
from guardtier_workers.cli.policy import reset as policy_reset
from guardtier_workers.cli.policy import set_policy as policy_set
from guardtier_workers.cli.policy import show as policy_show
from guardtier_workers.cli.policy_file import check as policy_check
from guardtier_workers.cli.policy_file import run_tests as policy_test
from guardtier_workers.cli.policy_replay import replay as policy_replay
from guardtier_workers.cli.policy_standing import diff as policy_diff
from guardtier_workers.cli.show import show
from guardtier_workers.cli.submit import submit
from guardtier_workers.cli.trace import export as trace_export
from guardtier_workers.cli.up import up
from guardtier_workers.cli.watch import watch
from guardtier_workers.cli.work import worker

HELP = """The guard tier that a fleet of AI agents shares.

Exit codes: 0 done or allowed, 1 the tier says no, 2 wrong command line or settings, 3 not allowed
(rejected, expired, parked), 4 the tier can't be reached or did not answer in time, 130 Ctrl-C.
"""


def build() -> Callable[..., Any]:
    """The whole command line, to be called with ``args``."""
    app = _group(HELP)
    for command in (
        up,
        worker,
        submit,
        pending,
        show,
        approve,
        reject,
        edit,
        halt,
        resume,
        halts,
        watch,
        check,
        doctor,
        analyzers,
        url,
        version,
    ):
        app.command()(command)
    fleets = _group("Registers fleets.")
    fleets.command("add")(fleet_add)
    fleets.command("list")(list_fleets)
    app.add_typer(fleets, name="fleet")
    approvers = _group("Names who may answer.")
    approvers.command("add")(approver_add)
    app.add_typer(approvers, name="approver")
    channels = _group("Says where notices of what waits go.")
    channels.command("list")(list_channels)
    channels.command("test")(try_out)
    app.add_typer(channels, name="channel")
    grants = _group("Shows and ends what is remembered of approvals.")
    grants.command("list")(list_grants)
    grants.command("suggest")(grants_suggest)
    grants.command("revoke")(grants_revoke)
    app.add_typer(grants, name="grants")
    traces = _group("Shows what conversations came to.")
    traces.command("export")(trace_export)
    app.add_typer(traces, name="trace")
    policies = _group("Says what a fleet's actions wait for, while the tier runs.")
    policies.command("show")(policy_show)
    policies.command("set")(policy_set)
    policies.command("reset")(policy_reset)
    policies.command("diff")(policy_diff)
    policies.command("replay")(policy_replay)
    policies.command("check")(policy_check)
    policies.command("test")(policy_test)
    app.add_typer(policies, name="policy")
    built: Callable[..., Any] = typer.main.get_command(app).main
    return built


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
