"""guardtier approver: who may answer. The file is for the policy workers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardtier.errors import ConfigError
from guardtier_workers import approvers
from guardtier_workers.approvers import Right
from guardtier_workers.cli.options import Json
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.state import StateDir


def add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The approvers file. Else that of guardtier up."),
    ] = None,
    fleet: Annotated[
        list[str] | None, typer.Option(help="May answer for this fleet alone. Repeat for more.")
    ] = None,
    may_configure: Annotated[
        bool, typer.Option("--may-configure", help="May also set the policy of these fleets.")
    ] = False,
    may_halt: Annotated[bool, typer.Option("--may-halt", help="May also halt and resume them.")] = False,
    role: Annotated[
        list[str] | None, typer.Option(help="Has this role, which a policy may want. Repeat for more.")
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(
            help="Who it is in person; counts once, whatever the number of tokens. Else the name."
        ),
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FLEET/AGENT",
            help="An agent of theirs, which they may not answer for; a glob. Repeat for more.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Name an approver and print the token, once: it is kept nowhere."""
    if file is None:
        state = StateDir()
        state.make()
        file = state.approvers_file
    try:
        may = [Right.ANSWER, *[Right.CONFIGURE] * may_configure, *[Right.HALT] * may_halt]
        token = approvers.add(
            file, name, fleet, may, principal=principal, roles=role or (), agents=agent or ()
        )
    except OSError as error:
        raise ConfigError(f"{file} can't be written: {error}", field="file") from error
    if as_json:
        emit({"approver": name, "token": token, "file": str(file)})
        return
    say(token)
    note(f"the token of {name}, shown once; {file} holds only a key made from it")
    note(f"to answer: export GUARDTIER_APPROVER={name} GUARDTIER_APPROVER_TOKEN=…")
