"""guardtier approver list, rotate, remove: who may answer, a new token, and who may no more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.errors import ConfigError
from guardtier_workers import approvers, dismissing
from guardtier_workers.approvers import EVERY_FLEET, Approver
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import Json
from guardtier_workers.cli.output import cell, console, emit, note, say, table
from guardtier_workers.cli.state import StateDir
from guardtier_workers.dismissing import Loss

Name = Annotated[str, typer.Argument(metavar="NAME")]
File = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The approvers file. Else that of guardtier up.")
]


def list_approvers(file: File = None, as_json: Json = False) -> None:
    """List who may answer, look or vouch, and for what. Tokens are kept nowhere."""
    file = file or StateDir().approvers_file
    try:
        known = approvers.read(file)
    except OSError as error:
        raise ConfigError(
            f"{file} can't be read ({error.strerror}): name it with --file, or guardtier approver add NAME",
            field="file",
        ) from error
    if as_json:
        emit({"file": str(file), "approvers": [_body(one) for one in known]})
        return
    listed = table(
        ("name", "who", "may", "fleets", "roles", "own agents", "comes by"),
        wraps=("fleets", "roles", "own agents", "comes by"),
    )
    for one in known:
        body = _body(one)
        ways = ["a token"] * body["token"] + body["vouched_by"]
        columns = (body["may"], body["fleets"], body["roles"], body["agents"], ways)
        listed.add_row(cell(one.name), cell(one.principal), *(cell(", ".join(each)) for each in columns))
    console().print(listed)


def rotate(name: Name, file: File = None, as_json: Json = False) -> None:
    """Make a new token and print it, once. The old one proves nothing from then on."""
    state = StateDir()
    where = file or state.approvers_file
    token = dismissing.rotate(where, name)
    if where.resolve() == state.approvers_file.resolve():
        state.renewed(name, token)
    if as_json:
        emit({"approver": name, "token": token, "file": str(where)})
        return
    say(token)
    note(f"the new token of {name}, shown once; policy workers that read {where} refuse the old one now,")
    note("and what it said about actions that still wait counts no more")


def remove(
    name: Name,
    file: File = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Also where nobody is left who can answer; don't ask.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Take an approver out of the file: they may nothing more, and their open answers count no more."""
    where = file or StateDir().approvers_file
    alone = dismissing.loss(where, name)
    if alone.fleets:
        note(f"WARNING: {_unanswered(alone)} once {name} has gone; what waits there comes to its deadline")
        if not yes and not _agreed(name):
            note("nothing was changed")
            return Exit.ERROR
    lost = dismissing.remove(where, name)
    if as_json:
        emit({"approver": name, "file": str(where), "unanswered": lost.fleets, "stranded": lost.stranded})
        return Exit.DONE
    say(f"{name} is no approver any more; policy workers that read {where} refuse them now")
    if lost.stranded:
        note(f"{', '.join(lost.stranded)} came by {name} alone, and can say nothing now")
    return Exit.DONE


def _agreed(name: str) -> bool:
    if sys.stdin.isatty():
        return typer.confirm(f"Remove {name}?", err=True)
    raise UsageError(
        "nobody can be asked here: guardtier approver add somebody else first, or repeat it with --yes",
        field="yes",
    )


def _unanswered(lost: Loss) -> str:
    if EVERY_FLEET not in lost.fleets:
        return f"nobody can answer for {', '.join(lost.fleets)}"
    return "nobody can answer for fleets that no other approver names"


def _body(one: Approver) -> dict[str, Any]:
    return {
        "name": one.name,
        "principal": one.principal,
        "may": sorted(one.may),
        "fleets": sorted(one.fleets),
        "roles": sorted(one.roles),
        "agents": list(one.agents),
        "token": bool(one.key),
        "subject": one.subject,
        "vouched_by": sorted(one.vouched_by),
    }
