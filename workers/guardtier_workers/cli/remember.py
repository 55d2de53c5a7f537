"""The options of ``approve`` that leave a grant, and the words in which it is shown before it is given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
from pydantic import ValidationError

from guardtier.approver import ApproverClient
from guardtier.approver_answers import Draft
from guardtier.policy.grants import MAX_USES, Grant, Pattern, Remember, Scope
from guardtier.policy.terms import MAX_SECONDS, Terms
from guardtier.store.records import Record
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.output import note, span_text
from guardtier_workers.clock import now_ms
from guardtier_workers.grants.drafting import Approval, draft

RememberAs = Annotated[
    Pattern | None,
    typer.Option(
        "--remember",
        metavar="PATTERN",
        help="Release what is like it from now on: exact (the same call), command (the same shell command "
        "with other paths below the same folders), tool (any call of the tool, no riskier than this one).",
        show_default=False,
    ),
]
ForWhom = Annotated[
    Scope | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help="--remember: whose actions: conversation, agent or fleet.",
        show_default="agent",
    ),
]
ForHowLong = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="--remember: for how long, as in 30m.", show_default="1h"),
]
HowOften = Annotated[
    int | None,
    typer.Option(
        "--uses", min=1, max=MAX_USES, help="--remember: how many actions at most.", show_default="10"
    ),
]
BelowFolder = Annotated[
    str | None,
    typer.Option(
        "--below",
        metavar="FOLDER",
        help="--remember command: the paths below this folder may be others.",
        show_default="each path's own folder",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="--remember: don't ask on a terminal whether it is meant.")
]


def wish(
    pattern: Pattern | None, scope: Scope | None, long: str | None, uses: int | None, below: str | None
) -> Remember | None:
    """What the options say is to be remembered. Raises UsageError."""
    more = {"scope": scope, "seconds": long, "uses": uses, "below": below}
    given = {name: value for name, value in more.items() if value is not None}
    if pattern is None:
        if given:
            option = {"seconds": "for"}.get(name := next(iter(given)), name)
            raise UsageError(f"--{option} says how --remember is meant: give that too", field=option)
        return None
    try:
        return Remember.model_validate({"pattern": pattern} | given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "remember"
        field = "for" if field == "seconds" else field
        says = first["msg"].removeprefix("Value error, ")
        if field == "for" and first["type"] in ("greater_than_equal", "less_than_equal"):
            says = f"1 s to {MAX_SECONDS / 86_400:g} days"
        raise UsageError(f"--{field}: {says}", field=field) from error


async def shown(
    drafts: Sequence[Draft], remember: Remember, approver: ApproverClient, *, sure: bool
) -> list[Draft]:
    """The answers bound to the actions whose grants were shown; none where the person shrinks back.

    Raises InvalidAnswer where an action can't be remembered so.
    """
    bound: list[Draft] = []
    for one in drafts:
        record = await approver.get(one.id)
        grant = draft(remember, approval_of(record, "you"))
        note(f"{one.id} is to be remembered {lasting(grant)}: {grant.words}")
        bound.append(
            replace(
                one,
                digest=one.digest or record.digest,
                shown=one.shown or record.shown,
                remember=remember,
            )
        )
    if sure or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return bound
    return bound if typer.confirm("Release all that from now on?", err=True) else []


def approval_of(record: Record, name: str) -> Approval:
    """An approval of this action by somebody, now."""
    return Approval(record.action, record.assessment, Terms.read(record.terms), (name,), now_ms())


def lasting(grant: Grant) -> str:
    return f"for {span_text(grant.expires_at - grant.given_at)}"
