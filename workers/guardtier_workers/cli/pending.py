"""guardtier pending: the confirmation set, the nearest deadline first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from guardtier.approver_looks import Count
from guardtier.readmodel import view_of
from guardtier.risk import SecurityRisk
from guardtier.store.records import Record
from guardtier_workers.cli.needs import needs_cell
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, TokenFile
from guardtier_workers.cli.output import (
    call_text,
    cell,
    console,
    emit,
    risk_cell,
    say,
    say_within,
    span_text,
    table,
)
from guardtier_workers.cli.safe_text import shortened
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms

if TYPE_CHECKING:
    from rich.console import Console

ROOMY = 130  #: columns from which on a table leaves a call some room


def pending(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Skip as many.")] = 0,
    fleet: Annotated[str | None, typer.Option(metavar="FLEET", help="Of this fleet alone.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Of this agent alone.")] = None,
    risk: Annotated[
        list[SecurityRisk] | None, typer.Option(help="Rated so. Repeat for more.", case_sensitive=False)
    ] = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the actions that wait for a person: your fleets' with a token, else all that Redis shows."""

    async def run() -> tuple[Count, list[Record]]:
        async with tier_at(redis_url, config) as tier, tier.viewer(name, token_file) as viewer:
            found = await viewer.pending(
                limit=limit, after=after, fleet=fleet, agent=agent, risk=risk or ()
            )
            return await viewer.counted(fleet=fleet), found

    total, records = asyncio.run(run())
    if as_json:
        emit(
            {
                "total": total.number,
                "total_is_all": total.is_all,
                "pending": [view_of(record) for record in records],
            }
        )
    elif records:
        _print(records, after, total, filtered=bool(agent or risk))
    elif agent or risk:
        say(f"none of these among {total.words} that wait" + (f", after {after}" if after else ""))
    else:
        say(
            "nothing waits for an answer" + (f" in fleet {fleet}" if fleet else "")
            if total == (0, True)
            else f"{total.words} wait, none after {after}"
        )


def _print(records: list[Record], after: int, total: Count, *, filtered: bool) -> None:
    out = console()
    if out.width < ROOMY:
        for record in records:
            _print_narrow(record)
    else:
        _print_wide(records, out)
    shown = f"{after + 1} to {after + len(records)}" + ("" if filtered else f" of {total.words}")
    say(f"{shown}; guardtier show ID for all of one, then guardtier approve or reject ID")


def _print_wide(records: list[Record], out: Console) -> None:
    listed = table(("id", "fleet", "agent", "risk", "left", "needs", "tool", "call"), wraps=("call",))
    for record in records:
        tool, call = _call(record)
        listed.add_row(
            cell(record.id),
            cell(record.fleet),
            cell(record.agent or "?"),
            risk_cell(record.assessment.risk.value),
            cell(_left(record)),
            cell(needs_cell(record)),
            cell(tool),
            cell(call),
        )
    out.print(listed)


def _print_narrow(record: Record) -> None:
    """Two lines or more: beside all the rest a call would have no room, and it is what one must see."""
    tool, call = _call(record)
    words = (record.assessment.risk.value, f"{_left(record)} left", needs_cell(record))
    head = f"{record.id}  {record.fleet}/{record.agent or '?'}  {'  '.join(filter(None, words))}"
    say_within(head, "    ")
    say_within(f"    {tool}: {call}", "    ")


def _left(record: Record) -> str:
    return span_text((record.deadline or 0) - now_ms())


def _call(record: Record) -> tuple[str, str]:
    """The tool, and the beginning of what it would do."""
    if not record.is_readable:
        return "?", "(it can't be read)"
    return record.action.tool_name, shortened(call_text(record.action), 200)
