"""guardtier audit verify, audit checkpoint: whether the audit trail is whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from guardtier.errors import ConfigError
from guardtier.verifying import ENV, Verifier
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.exported import folder_of, keys_of
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import cell, console, emit, note, say, table
from guardtier_workers.cli.tier import load_settings, tier_at
from guardtier_workers.clock import now_ms
from guardtier_workers.trail.beside import Streams
from guardtier_workers.trail.verify import Anchor, Finding, TrailCheck, exports_in, lines_of

MOST = 1000  #: findings that are told; what is beyond is counted

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


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    looked: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    exports: set[str] = field(default_factory=set)  #: that were looked at

    def add(self, found: list[Finding]) -> None:
        room = MOST - len(self.findings)
        self.findings += found[:room]
        self.more += max(len(found) - room, 0)


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
            _database(report, sql, verifier, kept)
        report.add([_absent(export) for export in kept.keys() - report.exports])
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
        _tell(report)
    return code


def checkpoint(folder: Dir = None, config: Config = None, as_json: Json = False) -> None:
    """Print where the export ends. Kept elsewhere, it shows later that nothing was cut off."""
    where = folder_of(folder, load_settings(None, config))
    if where is None:
        raise UsageError("there is no export here: name its folder with --dir", field="dir")
    check = TrailCheck()
    for raw in lines_of(where):
        check.line(raw)
    if not check.exports:
        raise ConfigError(f"no line in {where}: has a steward exported to it yet?", field="dir")
    text = f"{check.exports[-1]}:{check.last.n}:{check.last.h}"
    if as_json:
        emit({"checkpoint": text, "export": check.exports[-1], "seq": check.last.n})
    else:
        say(text)


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
                report.looked.append(f"redis:{partition}: {_span(checker.lines, checker.first)}")
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
    exports = exports_in(where)
    report.exports.update(exports)
    absent = await streams.absent({*exports, *elsewhere}, str(where))
    report.add(absent or _empty(where, exports))
    told = await streams.anchors(exports)
    runs = now_ms() if told else None  # an exporter of this tier should be signing it
    check = TrailCheck(keys=verifier, anchors=[*_of(kept, exports), *told], now=runs)
    for raw in lines_of(where):
        entry, found = check.line(raw)
        report.add(found)
        if entry is not None:
            report.add(await streams.compare(entry))
    report.add(check.end())
    report.add(await streams.goes_on())
    report.looked.append(
        f"{where}: {_looked(check)}; {await streams.behind()} entries still to be exported"
    )


def _offline(report: Report, where: Path, verifier: Verifier | None, kept: dict[str, Anchor]) -> None:
    exports = exports_in(where)
    report.exports.update(exports)
    report.add([] if kept else _empty(where, exports))
    check = TrailCheck(keys=verifier, anchors=_of(kept, exports))
    for raw in lines_of(where):
        report.add(check.line(raw)[1])
    report.add(check.end())
    report.looked.append(f"{where}: {_looked(check)}")


def _database(report: Report, url: str, verifier: Verifier | None, kept: dict[str, Anchor]) -> None:
    from guardtier_workers.trail.archive import Archive
    from guardtier_workers.trail.database import check_rows

    archive = Archive.there(url)
    try:
        exports = archive.exports()
        report.add([_uncopied(f"export {export}") for export in report.exports.difference(exports)])
        if not exports and not report.exports:
            report.add([_uncopied("any export")])
        for export in exports:
            report.exports.add(export)
            check = TrailCheck(keys=verifier, anchors=_of(kept, [export]))
            for found in check_rows(archive, export, check):
                report.add([found])
            report.looked.append(f"sql, export {export}: {_looked(check)}")
    finally:
        archive.close()


def _looked(check: TrailCheck) -> str:
    told = f"{check.entries} entries in {check.lines} lines, up to {check.last.n}"
    if check.signed:
        told += f", signed up to {check.signed}"
        told += f" ({check.tail} behind it are still to be signed for)" if check.tail else ""
    if begins := check.begins:
        first = ", ".join(f"{n} of partition {partition}" for partition, n in [*begins.items()][:3])
        told += f"; not before line {first}" + (" …" if len(begins) > 3 else "")
    old = sum(check.unchained.values())
    return told + (f"; {old} are from before there was a chain" if old else "")


def _span(lines: int, first: int) -> str:
    if not lines:
        return "no lines"
    return f"{lines} lines" + (f", chained from {first} on" if first else ", none of them chained")


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


def _of(kept: dict[str, Anchor], exports: Iterable[str]) -> list[Anchor]:
    return [kept[export] for export in exports if export in kept]


def _empty(where: Path, exports: list[str]) -> list[Finding]:
    """An exporter's first act is to write a line."""
    if exports:
        return []
    says = "there is no line of any export here: nobody has exported to it, or it was emptied"
    return [Finding("missing", str(where), None, 0, "", says)]


def _uncopied(export: str) -> Finding:
    says = f"no line of {export} is in the database: nobody has copied to it, or it was emptied"
    return Finding("missing", "sql", None, 0, "", says)


def _absent(export: str) -> Finding:
    says = f"no line of export {export} is here, of which the checkpoint is: taken away, or made anew"
    return Finding("missing", "checkpoint", None, 0, "", says)


def _tell(report: Report) -> None:
    for line in report.looked:
        say(line)
    if not report.findings:
        say("nothing is wrong")
        return
    shown = table(("what", "where", "partition", "n", "entry", "says"), wraps=("says",))
    for one in report.findings:
        partition = "" if one.partition is None else one.partition
        shown.add_row(
            cell(one.what, "bold red"),
            cell(one.where),
            cell(partition),
            cell(one.n or ""),
            cell(one.entry),
            cell(one.says),
        )
    console().print(shown)
    if report.more:
        note(f"and {report.more} more")
