"""guardtier doctor: looks for what is wrong, and says how to mend it."""

from __future__ import annotations

import asyncio

from guardtier.errors import TierUnavailable
from guardtier_workers.cli import checkup
from guardtier_workers.cli.checkup import Found
from guardtier_workers.cli.exits import Exit
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import cell, console, emit, table
from guardtier_workers.cli.tier import tier_at

STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def doctor(redis_url: RedisUrl = None, config: Config = None, as_json: Json = False) -> int:
    """Check this machine and the tier. Exits 0 where nothing fails, 1 or 4 where something does."""
    found = checkup.machine()
    code = Exit.DONE

    async def run() -> None:
        async with tier_at(redis_url, config) as tier:
            found.extend([one async for one in checkup.tier(tier)])

    try:
        asyncio.run(run())
    except TierUnavailable as error:
        found.append(Found("failure", "redis", error.message))
        code = Exit.UNREACHABLE
    if code is Exit.DONE and any(one.grade == "failure" for one in found):
        code = Exit.ERROR
    if as_json:
        emit({"checks": [{"grade": f.grade, "what": f.what, "says": f.says} for f in found]})
        return code
    listed = table(("", "what", "says"), wraps=("says",))
    for one in found:
        listed.add_row(cell(one.grade, STYLES[one.grade]), cell(one.what), cell(one.says))
    console().print(listed)
    return code
