"""guardtier watch: every transition and refusal, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from guardtier.analyzers.options import did_you_mean
from guardtier.approver import AuditEvent
from guardtier.errors import GuardtierError
from guardtier.store.events import EVENTS
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, note, say_within
from guardtier_workers.cli.tier import tier_at

INDENT = " " * 13  #: where the event stands
#: What a program reads of a line (--json has it), and nobody else.
MACHINES = frozenset({"digest", "details", "stream", "entry", "n", "h"})


def watch(
    fleet: Annotated[str | None, typer.Option(metavar="FLEET", help="Of this fleet alone.")] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help="Such events alone, as in parked or expired. Repeat for more."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many events.")] = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Follow the audit stream from now on. Ctrl-C ends it."""
    for name in event or ():
        if name not in EVENTS:
            near = did_you_mean(name, EVENTS)
            raise UsageError(
                f"no event is called {name!r}{near}; there are: {', '.join(sorted(EVENTS))}", field="event"
            )

    async def run() -> None:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            note("watching; Ctrl-C ends it")
            seen = 0
            async for told in reader.watch():
                if not _wanted(told, fleet, event or ()):
                    continue
                _tell(told, as_json)
                seen += 1
                if seen == count:
                    return

    asyncio.run(run())


def _wanted(told: AuditEvent, fleet: str | None, events: Sequence[str]) -> bool:
    if fleet is not None and told.fields.get("fleet") != fleet:
        return False
    return not events or told.event in events


def _tell(event: AuditEvent, as_json: bool) -> None:
    if as_json:
        emit({"at": event.at, "event": event.event, "id": event.id, **event.fields})
        return
    at = datetime.fromtimestamp(event.at / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]
    rest = " ".join(
        f"{name}={_words(name, value)}" for name, value in event.fields.items() if _is_told(name, value)
    )
    say_within(f"{at} {event.event:9} {event.id} {rest}", INDENT)


def _is_told(name: str, value: str) -> bool:
    return value != "" and name not in MACHINES


def _words(name: str, value: str) -> str:
    """What people read of a field: of an error what it says."""
    return GuardtierError.from_json(value.encode()).message if name == "error" else value
