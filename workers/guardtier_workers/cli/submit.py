"""guardtier submit: publish one action, as an agent would, and wait for the verdict."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from redis.exceptions import NoPermissionError

from guardtier.action import ActionEvent
from guardtier.canonical import parse_strict
from guardtier.client import Status
from guardtier.errors import GuardTimeout, InvalidAction
from guardtier.verdict import Verdict
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.safe_text import json_text
from guardtier_workers.cli.tier import Tier, tier_at

DEFAULT_FLEET = "default"


def submit(
    command: Annotated[
        str | None, typer.Argument(help="The command that the agent is about to run.")
    ] = None,
    action_file: Annotated[
        Path | None,
        typer.Option("--action", metavar="FILE", help="The whole action as JSON; -: standard input."),
    ] = None,
    fleet: Annotated[str | None, typer.Option(help="Else default, or the tier's only fleet.")] = None,
    agent: Annotated[str, typer.Option()] = "cli",
    tool: Annotated[str, typer.Option(help="The tool's name.")] = "terminal",
    summary: Annotated[str, typer.Option(help="What it is for.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for a person where it is parked.")
    ] = True,
    accept_edits: Annotated[
        bool, typer.Option("--accept-edits", help="Let approvers change the arguments.")
    ] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1)] = 600.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Publish an action and print the verdict. Exits 0 where it may run, 3 where it may not."""
    if (command is None) == (action_file is None):
        raise UsageError("give a COMMAND, or --action FILE")

    async def run() -> int:
        async with tier_at(redis_url, config) as tier:
            body: dict[str, Any] = {"agent": agent, "tool_name": tool, "summary": summary}
            body["arguments"] = {"command": command}
            action = await _action(tier, _read(action_file) if action_file else body, fleet)
            async with tier.guard(action.fleet, accept_edits=accept_edits) as guard:
                if wait:
                    return _tell_verdict(await guard.check(action, timeout=timeout), as_json)
                return _tell_status(await guard.submit(action, timeout=timeout), as_json)

    return asyncio.run(run())


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"the action can't be read: {error}", field="action") from error
    body = parse_strict(raw)
    if not isinstance(body, dict):
        raise InvalidAction("an action is a JSON object", field="payload")
    return body


async def _action(tier: Tier, body: dict[str, Any], fleet: str | None) -> ActionEvent:
    """The action with its fleet: as told, as it says, the default one, or the only one there is."""
    named = fleet or body.get("fleet")
    if named is None:
        try:
            fleets = await tier.upkeep.fleets()
        except NoPermissionError as error:  # an agent's credential
            raise UsageError(
                "which fleet? name it with --fleet: these credentials may not list them", field="fleet"
            ) from error
        if DEFAULT_FLEET not in fleets and len(fleets) != 1:
            known = ", ".join(fleets) or "none"
            raise UsageError(f"which fleet? name it with --fleet; registered: {known}")
        named = DEFAULT_FLEET if DEFAULT_FLEET in fleets else fleets[0]
    return ActionEvent.from_value({**body, "fleet": named})


def _tell_verdict(verdict: Verdict, as_json: bool) -> int:
    if as_json:
        told = {"allowed": verdict.allowed, "feedback": verdict.feedback}
        emit({**verdict.model_dump(mode="json"), **told})
    else:
        by = f" by {', '.join(verdict.decided_by)}" if verdict.decided_by else ""
        say(f"{verdict.outcome.value}{by}: risk {verdict.risk.value}, {verdict.id}")
        if verdict.reason:
            say(f"  {verdict.reason}")
        if verdict.arguments is not None and verdict.allowed:
            say(f"  changed by an approver: {json_text(verdict.arguments)}")
        for found in verdict.findings:
            say(f"  {found.risk.value} {found.id}: {found.message}")
    return Exit.DONE if verdict.allowed else Exit.NOT_ALLOWED


def _tell_status(status: Status, as_json: bool) -> int:
    if status.verdict is not None:
        return _tell_verdict(status.verdict, as_json)
    if status.deadline is None:
        raise GuardTimeout(f"{status.id} is {status.state.value}, not decided yet")
    if as_json:
        told = {"state": status.state.value, "waiting": status.is_waiting, "deadline": status.deadline}
        emit({"id": status.id, **told})
    else:
        say(f"{status.state.value}, it waits: {status.id}; answer with guardtier approve, or reject")
    return Exit.NOT_ALLOWED
