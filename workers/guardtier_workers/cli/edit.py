"""guardtier edit: change a parked action's arguments, see what changes, and approve it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.approver import ApproverClient
from guardtier.canonical import parse_strict
from guardtier.errors import InvalidAction
from guardtier.policy.edit import Revised
from guardtier.store.records import Record
from guardtier.verdict import Verdict
from guardtier_workers.changed import MOST_LINES, changes
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.show import Id
from guardtier_workers.cli.tier import tier_at


def edit(
    action_id: Id,
    arguments: Annotated[
        str,
        typer.Option(
            metavar="FILE|JSON",
            help="All arguments as they are to be: a JSON object, or a file with one; -: standard input.",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Kept with the verdict, told to the agent's model.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send it without asking.")] = False,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 60.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Let a parked action run once, with other arguments. The tier rates what you made of it.

    Shows what changes, and asks before it sends that. Exits 0 where the action was approved, 3 where it
    still waits: riskier than before, or for more people.
    """
    given = arguments_in(arguments)

    async def run() -> Verdict | Revised | None:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            record = await approver.get(action_id)
            _show(record, given, as_json)
            if not yes and not _agreed():
                return None
            return await _sent(approver, record, given, reason, timeout)

    came = asyncio.run(run())
    if came is None:
        note("nothing was sent")
        return Exit.ERROR
    _tell(came, as_json)
    return Exit.DONE if came.allowed else Exit.NOT_ALLOWED


async def _sent(
    approver: ApproverClient, record: Record, arguments: dict[str, Any], reason: str, timeout: float
) -> Verdict | Revised:
    """Sent for the action that was shown, and for no other that may be parked by now."""
    return await approver.edit(record.id, arguments, digest=record.digest, reason=reason, timeout=timeout)


def arguments_in(given: str) -> dict[str, Any]:
    """The arguments that are given, or stand in the file that is. Raises UsageError, InvalidAction."""
    text = given.encode()
    if not given.lstrip().startswith(("{", "[")):
        try:
            text = sys.stdin.buffer.read() if given == "-" else Path(given).read_bytes()
        except OSError as error:
            raise UsageError(f"the arguments can't be read: {error}", field="arguments") from error
    return arguments_of(text)


def arguments_of(text: bytes) -> dict[str, Any]:
    """The arguments that a JSON text says. Raises InvalidAction."""
    try:
        found = parse_strict(text)
    except InvalidAction as error:
        raise InvalidAction(
            f"the arguments: {error.message}", field="arguments", limit=error.limit
        ) from error
    if not isinstance(found, dict):
        raise InvalidAction('arguments are a JSON object, as in {"command": "ls"}', field="arguments")
    return found


def _show(record: Record, arguments: dict[str, Any], as_json: bool) -> None:
    """What changes; beside the result where that is for a program."""
    tell = note if as_json else say
    tell(f"{record.action.agent} of {record.fleet}, {record.action.tool_name}: {record.id}")
    lines = list(changes(record.action.arguments, arguments))
    for line in lines[:MOST_LINES]:
        tell(line)
    if len(lines) > MOST_LINES:
        tell(f"… and {len(lines) - MOST_LINES} more lines")


def _agreed() -> bool:
    return typer.confirm("Send it?", err=True) if sys.stdin.isatty() else _refuse_blindly()


def _refuse_blindly() -> bool:
    raise UsageError("nobody can be asked here: look at the changes, and repeat it with --yes", field="yes")


def _tell(came: Verdict | Revised, as_json: bool) -> None:
    if as_json:
        body = came.model_dump(mode="json")
        emit(body if isinstance(came, Verdict) else {"id": came.id, "revised": body})
    elif isinstance(came, Verdict):
        say(f"{came.outcome.value} by {', '.join(came.decided_by)}: {came.id}")
    else:
        say(f"{came.in_words}: {came.id}")
        for found in came.findings:
            say(f"  {found.risk.value} {found.id}: {found.message}")
