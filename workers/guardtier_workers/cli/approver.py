"""guardtier approver: who may answer. The file is for the policy workers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardtier.errors import ConfigError
from guardtier_workers import approvers
from guardtier_workers.approvers import Right
from guardtier_workers.cli.exits import UsageError
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
    may_see: Annotated[bool, typer.Option("--may-see", help="May look, and answer nothing.")] = False,
    may_vouch: Annotated[
        bool,
        typer.Option("--may-vouch", help="A console: signs for those who name it, and does nothing else."),
    ] = False,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="'ISSUER SUBJECT'", help="What the identity provider calls them, behind its own name."
        ),
    ] = None,
    vouched_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONSOLE",
            help="Comes by this console, which may vouch, and has no token. Repeat for more.",
        ),
    ] = None,
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
        token = approvers.add(
            file,
            name,
            fleet,
            _rights(may_configure, may_halt, may_see, may_vouch),
            principal=principal,
            roles=role or (),
            agents=agent or (),
            subject=subject,
            vouched_by=vouched_by or (),
            with_token=not vouched_by,
        )
    except OSError as error:
        raise ConfigError(f"{file} can't be written: {error}", field="file") from error
    if as_json:
        emit({"approver": name, "token": token or None, "file": str(file)})
        return
    if vouched_by:
        note(f"{name} has no token: they sign in at {', '.join(vouched_by)}, as {subject or 'nobody yet'}")
        return
    say(token)
    note(f"the token of {name}, shown once; {file} holds only a key made from it")
    if may_vouch:
        note(f'for a console: voucher = "{name}", and the token in its voucher_token_file')
        return
    does = "look" if may_see else "answer"
    note(f"to {does}: export GUARDTIER_APPROVER={name} GUARDTIER_APPROVER_TOKEN=…")


def _rights(may_configure: bool, may_halt: bool, may_see: bool, may_vouch: bool) -> list[Right]:
    """A console's one right stands alone, else who may look alone does not answer. Raises UsageError."""
    if may_vouch and (may_configure or may_halt or may_see):
        raise UsageError("--may-vouch is for a console, which has no other right: leave the others out")
    if may_vouch:
        return [Right.VOUCH]
    own = Right.SEE if may_see else Right.ANSWER
    return [own, *[Right.CONFIGURE] * may_configure, *[Right.HALT] * may_halt]
