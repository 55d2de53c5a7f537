"""guardtier show: everything that the tier knows of one action."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from guardtier.action import ActionEvent
from guardtier.assessment import ChildVote, Finding
from guardtier.readmodel import view_of
from guardtier.store.records import Record
from guardtier_workers.cli.needs import needs_lines
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, TokenFile
from guardtier_workers.cli.output import emit, local_time, say_within, span_text
from guardtier_workers.cli.safe_text import quoted, safe_lines, shortened, without_gaps
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms

Id = Annotated[str, typer.Argument(metavar="ID", help="The action's full id, as pending lists it.")]
INDENT = " " * 14  #: where the values stand
MOST_THOUGHT = 1000  #: characters of an agent's thought that are shown


def show(
    action_id: Id,
    name: ApproverName = None,
    token_file: TokenFile = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one action: its call, its rating with the reasons, and what became of it."""
    record = looked_at(action_id, name, token_file, redis_url, config)
    if as_json:
        emit(view_of(record))
        return
    for line in _lines(record):
        say_within(line, INDENT)


def looked_at(
    action_id: str, name: str | None, token_file: Path | None, redis_url: str | None, config: Path | None
) -> Record:
    """The action as this approver may see it. Raises UnknownAction."""

    async def run() -> Record:
        async with tier_at(redis_url, config) as tier, tier.viewer(name, token_file) as viewer:
            return await viewer.get(action_id)

    return asyncio.run(run())


def _lines(record: Record) -> list[str]:
    if not record.is_readable:
        return _unreadable(record)
    action, assessment = record.action, record.assessment
    lines = [
        f"id            {record.id}",
        f"state         {record.state.value}{_left(record)}",
        f"asked         {local_time(record.received_at)}",
        f"fleet, agent  {record.fleet}, {action.agent}",
        *([f"conversation  {action.conversation}"] if action.conversation else []),
        f"tool          {without_gaps(action.tool_name)}",
        f"summary       {without_gaps(action.summary) or '-'}",
        *([f"thought       {shortened(action.thought, MOST_THOUGHT)}"] if action.thought else []),
        f"digest        {record.digest}",
        *(
            [f"shown         {record.shown}, with marks for secrets"]
            if action.digest != record.digest
            else []
        ),
        *([f"edited        by an approver; asked for was {record.asked}"] if record.asked else []),
        f"claimed risk  {action.security_risk.value} (by the agent itself)",
        f"rated risk    {assessment.risk.value}" + "".join(f", {_said(vote)}" for vote in assessment.votes),
    ]
    lines += ["arguments"] + [f"  {line}" for line in _arguments(action)]
    lines += [line for found in assessment.findings for line in _finding(found, action)]
    lines += needs_lines(record)
    return lines + _ended(record)


def _ended(record: Record) -> list[str]:
    """How it was decided, by whom or by what, and why; nothing while it waits."""
    verdict = record.verdict
    if verdict is None:
        return []
    by = f" by {', '.join(verdict.decided_by)}" if verdict.decided_by else ""
    rules = f", {', '.join(verdict.rules)}" if verdict.rules else ""
    first, *rest = verdict.reason.split("\n")
    return [
        f"verdict       {verdict.outcome.value}{by} under {verdict.policy}{rules}",
        *([f"grant         {verdict.grant}"] if verdict.grant else []),
        *([f"reason        {first}"] if verdict.reason else []),
        *(f"              {line}" for line in rest),
    ]


def _unreadable(record: Record) -> list[str]:
    """What can be said of an action whose text is damaged: nobody can look at it, so nobody approves it."""
    return [
        f"id            {record.id}",
        f"state         {record.state.value}{_left(record)}",
        f"fleet         {record.fleet}",
        "action        it can't be read: no answer counts, it ends at its deadline",
        *_ended(record),
    ]


def _said(vote: ChildVote) -> str:
    return f"{vote.child} {'was skipped' if vote.skipped else f'says {vote.risk.value}'}"


def _left(record: Record) -> str:
    if record.deadline is None or record.verdict is not None:
        return ""
    return f", {span_text(record.deadline - now_ms())} left"


def _arguments(action: ActionEvent) -> list[str]:
    """Each argument; a text keeps its lines, since a hidden second line is what one must see."""
    shown: list[str] = []
    for name, value in action.arguments.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        first, *rest = safe_lines(without_gaps(text)).split("\n")
        shown += [f"{without_gaps(name)}: {first}", *(f"    {line}" for line in rest)]
    return shown or ["(none)"]


def _finding(found: Finding, action: ActionEvent) -> list[str]:
    first, *rest = finding_lines(found, action)
    return [f"finding       {first}", *(f"              {line}" for line in rest)]


def finding_lines(found: Finding, action: ActionEvent) -> list[str]:
    """What was found, and below it where: the text that it points at, between » and «."""
    told = [f"{found.risk.value} {found.id}: {found.message}"]
    text = _text_at(action, found.field) if found.field and found.span else None
    if text is not None and found.span:
        told.append(f"{found.field}: {quoted(text, found.span)}")
    elif found.field:
        told.append(f"in {found.field}")
    return told


def _text_at(action: ActionEvent, path: str) -> str | None:
    """The string that a finding's field names (``arguments.command``); None where it is gone."""
    value: Any = action.model_dump(mode="json")
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return None
    return value if isinstance(value, str) else None
