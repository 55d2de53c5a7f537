"""guardtier dead list, dead retry: what no worker could handle."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from guardtier.store.dead import DeadLetter, DeadPage
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import cell, console, emit, say, span_text, table
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms


def list_dead(
    fleet: Annotated[str | None, typer.Argument(metavar="FLEET", help="Else every fleet.")] = None,
    after: Annotated[str, typer.Option(metavar="LETTER", help="Go on behind this one.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at the most.")] = 20,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first, and say which can be tried again."""

    async def run() -> DeadPage:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            fleets = None if fleet is None else {fleet}
            return await reader.dead_letters(fleets=fleets, after=after, limit=limit)

    page = asyncio.run(run())
    if as_json:
        emit({"dead": [_body(one) for one in page.letters], "after": page.after})
        return
    if not page.letters:
        say("no dead letters" + ("" if page.after is None else " among those that were looked at"))
    else:
        _print(page)
    if page.after is not None:
        say(f"there are more: guardtier dead list --after {page.after}")


def retry(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="As dead list shows it.")],
    reason: Annotated[str, typer.Option(help="Kept on the audit stream.")] = "",
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Have a dead letter tried again."""

    async def run() -> str:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            return await approver.retry_dead(letter, reason=reason, timeout=timeout)

    entry = asyncio.run(run())
    if as_json:
        emit({"retried": letter, "entry": entry})
    else:
        say(f"{letter} is work again; where it fails once more, it comes back under another name")


def _print(page: DeadPage) -> None:
    listed = table(("letter", "age", "fleet", "work", "why", "retry"), wraps=("why", "retry"))
    for one in page.letters:
        listed.add_row(
            cell(one.name),
            cell(span_text(now_ms() - one.at)),
            cell(one.fleet or "?"),
            cell(f"{one.stream} {one.op}".strip()),
            cell(one.why),
            cell("can be tried again" if not one.why_not else f"no: {one.why_not}"),
        )
    console().print(listed)


def _body(one: DeadLetter) -> dict[str, Any]:
    return {
        "letter": one.name,
        "at": one.at,
        "id": one.id,
        "fleet": one.fleet,
        "stream": one.stream,
        "op": one.op,
        "why": one.why,
        "size": one.size,
        "payload": one.payload.decode(errors="backslashreplace"),
        "retry": not one.why_not,
        "why_not": one.why_not,
    }
