"""guardtier audit verify, audit checkpoint: whether the audit trail is whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from guardtier.errors import ConfigError
from guardtier.verifying import ENV, Verifier
from guardtier_workers.cli.audit_report import Report, absent, database, empty, looked, of, span, told
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.exported import folder_of, keys_of
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.tier import load_settings, tier_at
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.verify import Anchor, TrailCheck, lines_of

Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="An export's folder. Else the settings' audit_dir, else that of `guardtier up`.",
        show_default=False,
    ),
]
_CHECKPOINT = re.compile(r"([0-9a-f]{8}):([1-9][0-9]{0,15}):([0-9a-f]{64})")


def verify(
    folder: Dir = None,
    redis: Annotated[
        bool, typer.Option("--redis/--no-redis", help="Look at what Redis has, and compare it.")
    ] = True,
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="URL", help="Look at this database as well.")
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            envvar=ENV,
            help="The tier's public keys, by which checkpoints must be signed; else those of `up`.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", metavar="TEXT", help="What `audit checkpoint` said: it must be there."
        ),
    ] = None,
    elsewhere: Annotated[
        list[str] | None,
        typer.Option("--elsewhere", metavar="EXPORT", help="This export's folder is on another host."),
    ] = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Find every line of the audit trail that was changed, taken away, moved, doubled or put in.

    In the files of the export, in Redis, in the database. Exits 1 where anything is wrong.
    """
    where = folder_of(folder, load_settings(redis_url, config))
    if where is None and not redis and sql is None:
        raise UsageError("nothing to verify: name an export's folder with --dir", field="dir")
    known = keys or (keys_of(where) if where else None)
    verifier = Verifier.of(known) if known else None
    kept = _anchors(checkpoint)

    async def run() -> Report:
        report = Report()
        if redis:
            await _with_redis(report, where, verifier, kept, elsewhere or (), redis_url, config)
        elif where is not None:
            _offline(report, where, verifier, kept)
        if sql is not None:
            database(report, sql, verifier, kept, where)
        report.add([absent(export) for export in kept.keys() - report.exports])
        return report

    report = asyncio.run(run())
    code = Exit.ERROR if report.findings else Exit.DONE
    if as_json:
        emit(
            {
                "whole": not report.findings,
                "looked_at": report.looked,
                "findings": [asdict(one) for one in report.findings],
                "more": report.more,
            }
        )
    else:
        told(report)
    return code


def checkpoint(folder: Dir = None, config: Config = None, as_json: Json = False) -> None:
    """Print where the export ends. Kept elsewhere, it shows later that nothing was cut off."""
    where = folder_of(folder, load_settings(None, config))
    if where is None:
        raise UsageError("there is no export here: name its folder with --dir", field="dir")
    check = TrailCheck()
    wrong = sum(len(check.line(raw)[1]) for raw in lines_of(where)) + len(check.end())
    if not check.exports:
        raise ConfigError(f"no line in {where}: has a steward exported to it yet?", field="dir")
    text = f"{check.exports[-1]}:{check.last.n}:{check.last.h}"
    if as_json:
        emit({"checkpoint": text, "export": check.exports[-1], "seq": check.last.n})
    else:
        say(text)
    if wrong:
        note("something is wrong with these files (guardtier audit verify): this vouches for it as well")


async def _with_redis(
    report: Report,
    where: Path | None,
    verifier: Verifier | None,
    kept: dict[str, Anchor],
    elsewhere: Iterable[str],
    redis_url: str | None,
    config: Path | None,
) -> None:
    async with tier_at(redis_url, config) as tier:
        streams = Streams(tier.redis, tier.partitions)
        try:
            async for found in streams.check():
                report.add([found])
            for partition, checker in streams.checkers.items():
                report.looked.append(f"redis:{partition}: {span(checker.lines, checker.first)}")
            if where is not None:
                await _compared(report, where, verifier, kept, streams, elsewhere)
        finally:
            await streams.close()


async def _compared(
    report: Report,
    where: Path,
    verifier: Verifier | None,
    kept: dict[str, Anchor],
    streams: Streams,
    elsewhere: Iterable[str],
) -> None:
    exports = report.files(where)
    gone = await streams.absent({*exports, *elsewhere}, str(where))
    report.add(gone or ([] if report.unreadable else empty(where, exports)))
    anchors = await streams.anchors(exports)
    report.now = await streams.now() if anchors else None  # an exporter of this tier should be signing it
    check = TrailCheck(keys=verifier, anchors=[*of(kept, exports), *anchors], now=report.now)
    with report.reading(where):
        for raw in lines_of(where):
            entry, found = check.line(raw)
            report.add(found)
            if entry is not None:
                report.add(await streams.compare(entry))
    report.add(check.end())
    report.add(await streams.goes_on())
    report.looked.append(f"{where}: {looked(check)}; {await streams.behind()} entries still to be exported")


def _offline(report: Report, where: Path, verifier: Verifier | None, kept: dict[str, Anchor]) -> None:
    exports = report.files(where)
    report.add([] if kept or report.unreadable else empty(where, exports))
    check = TrailCheck(keys=verifier, anchors=of(kept, exports))
    with report.reading(where):
        for raw in lines_of(where):
            report.add(check.line(raw)[1])
    report.add(check.end())
    report.looked.append(f"{where}: {looked(check)}")


def _anchors(text: str | None) -> dict[str, Anchor]:
    """The line that a checkpoint names, by its export."""
    if text is None:
        return {}
    found = _CHECKPOINT.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            "a checkpoint is EXPORT:LINE:HASH, as guardtier audit checkpoint prints it", field="checkpoint"
        )
    return {found[1]: Anchor(int(found[2]), found[3], "the checkpoint")}
