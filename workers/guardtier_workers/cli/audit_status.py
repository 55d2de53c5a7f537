"""guardtier audit status, audit forget: how far exports have got, and whom Redis waits for."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from guardtier.store.exports import LATE_SECONDS, Behind, Exports
from guardtier_workers.cli.exits import Exit
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import cell, console, emit, note, say, span_text, table
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms


def status(redis_url: RedisUrl = None, config: Config = None, as_json: Json = False) -> int:
    """Say how far each export has got. Exits 1 where one lacks too many lines, or some for five minutes."""

    async def run() -> tuple[list[Behind], int]:
        async with tier_at(redis_url, config) as tier:
            return await Exports(tier.redis, tier.partitions).behind(), tier.settings.audit_backlog

    found, limit = asyncio.run(run())
    if as_json:
        emit({"exports": [asdict(one) for one in found], "backlog": limit})
    elif not found:
        say("nothing is exported: set audit_dir for the steward")
    else:
        shown = table(("export", "partition", "lines behind", "last written"), right=("lines behind",))
        for one in found:
            at = span_text(now_ms() - one.reached.at) + " ago" if one.reached else "can't be read"
            shown.add_row(cell(one.export), cell(one.partition), cell(one.lines), cell(at))
        console().print(shown)
    wrong = any(
        one.lines > limit or one.reached is None or one.waits(now_ms()) > LATE_SECONDS for one in found
    )
    return Exit.ERROR if wrong else Exit.DONE


def forget(
    export: Annotated[str, typer.Argument(metavar="EXPORT", help="As audit status shows it.")],
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Wait no more for an export whose folder is gone: Redis may trim what only that one lacked."""

    async def run() -> int:
        async with tier_at(redis_url, config) as tier:
            return await Exports(tier.redis, tier.partitions).forget(export)

    count = asyncio.run(run())
    if as_json:
        emit({"forgotten": count})
    elif count:
        say(f"{export} is forgotten in {count} partitions")
    else:
        note(f"there is no export {export}: guardtier audit status lists them")
    return Exit.DONE if count else Exit.ERROR
