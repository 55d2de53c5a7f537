"""guardtier doctor: looks for what is wrong, and says how to mend it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from guardtier.errors import GuardtierError
from guardtier.settings_origin import Setting
from guardtier_workers.cli import checktls, checktrail, checkup
from guardtier_workers.cli.exits import Exit, exit_code_of
from guardtier_workers.cli.found import Found
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import cell, console, emit, say, table
from guardtier_workers.cli.safe_text import json_text
from guardtier_workers.cli.tier import load_settings, tier_at

GRADES = ("ok", "warning", "failure")
STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def doctor(redis_url: RedisUrl = None, config: Config = None, as_json: Json = False) -> int:
    """Check this machine and the tier, and say where each setting came from.

    Exits 0 where nothing fails (warnings or not), 1 where something does, 2 where Redis refuses the URL or
    its password, 4 where it can't be reached.
    """
    settings = load_settings(redis_url, config)
    shown = settings.shown(config, {"redis_url": redis_url} if redis_url else {})
    found = [*checkup.machine(), *checkup.configuration(settings, config)]
    found += [*checktrail.trail(settings), *checktls.tls(settings)]
    code = Exit.DONE

    async def run() -> None:
        async with tier_at(redis_url, config) as tier:
            found.extend([one async for one in checkup.tier(tier)])

    try:
        asyncio.run(run())
    except GuardtierError as error:
        found.append(Found("failure", "redis", error.message))
        code = exit_code_of(error)
    if code is Exit.DONE and any(one.grade == "failure" for one in found):
        code = Exit.ERROR
    if as_json:
        emit(
            {
                "checks": [{"grade": f.grade, "what": f.what, "says": f.says} for f in found],
                "settings": [{"name": s.name, "value": s.value, "from": s.origin} for s in shown],
            }
        )
        return code
    _print_settings(shown)
    _print_checks(found)
    return code


def _print_settings(shown: Sequence[Setting]) -> None:
    values = table(("setting", "value", "from"), wraps=("value", "from"))
    for one in shown:
        text = one.value if isinstance(one.value, str) else json_text(one.value)
        values.add_row(cell(one.name), cell(text), cell(one.origin))
    console().print(values)


def _print_checks(found: Sequence[Found]) -> None:
    """Last, and what fails at the very end: there a terminal stands when all is printed."""
    listed = table(("", "what", "says"), wraps=("says",))
    for check in sorted(found, key=lambda check: GRADES.index(check.grade)):
        listed.add_row(cell(check.grade, STYLES[check.grade]), cell(check.what), cell(check.says))
    console().print(listed)
    counts = Counter(check.grade for check in found)
    told = [
        f"{counts[grade]} {grade}{'s' if counts[grade] > 1 else ''}"
        for grade in reversed(GRADES[1:])
        if counts[grade]
    ]
    say(", ".join(told) if told else "nothing is wrong")
