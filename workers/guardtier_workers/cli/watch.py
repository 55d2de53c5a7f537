"""guardtier watch: every transition and refusal, as it happens."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from guardtier.approver import AuditEvent
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.tier import tier_at


def watch(
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many events.")] = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Follow the audit stream from now on. Ctrl-C ends it."""

    async def run() -> None:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            note("watching; Ctrl-C ends it")
            seen = 0
            async for event in reader.watch():
                _tell(event, as_json)
                seen += 1
                if seen == count:
                    return

    asyncio.run(run())


def _tell(event: AuditEvent, as_json: bool) -> None:
    if as_json:
        emit({"at": event.at, "event": event.event, "id": event.id, **event.fields})
        return
    at = datetime.fromtimestamp(event.at / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]
    rest = " ".join(f"{name}={value}" for name, value in event.fields.items() if name != "digest")
    say(f"{at} {event.event:9} {event.id} {rest}")
