"""guardtier audit export, search: lines of the exported audit trail, for other tools and for people."""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import orjson
import typer

from guardtier.errors import GuardtierError
from guardtier.store.chain import Chained
from guardtier_workers.cli.audit import Dir
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.exported import folder_of
from guardtier_workers.cli.options import Config, Json
from guardtier_workers.cli.output import cell, console, emit, note, table
from guardtier_workers.cli.safe_text import json_text, safe
from guardtier_workers.cli.tier import load_settings
from guardtier_workers.clock import now_ms
from guardtier_workers.trail.lines import Kind, Sealed, entry_of, number
from guardtier_workers.trail.verify import lines_of

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "at",
    "partition",
    "n",
    "entry",
    "event",
    "id",
    "fleet",
    "agent",
    "by",
    "policy",
    "digest",
    "reason",
    "seq",
    "risk",
    "conversation",
    "details",
)
LINES_OWN = ("at", "partition", "n", "entry", "seq")  #: of the line, not of its event
#: What a line says, of those that say something: the first of these.
SAYS = ("reason", "error", "risk", "why", "deadline")
AGENTS = "a line names its agent where something may run: released, rejected by a policy, redeemed"


class Format(StrEnum):
    """How lines are written."""

    jsonl = "jsonl"
    csv = "csv"


Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="From then on: 30m, 2d (ago), or 2026-01-31T08:00Z."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then.")]
Fleet = Annotated[str | None, typer.Option("--fleet", metavar="NAME", help="This fleet alone.")]
Event = Annotated[
    str | None,
    typer.Option("--event", metavar="NAME", help="This event alone: released, rejected, halted, …"),
]
Action = Annotated[str | None, typer.Option("--action", metavar="ID", help="This action alone.")]
Agent = Annotated[
    str | None, typer.Option("--agent", metavar="NAME", help="Lines that name this agent: what may run.")
]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="This approver alone, or whoever was refused.")
]


def export(
    folder: Dir = None,
    since: Since = None,
    until: Until = None,
    fleet: Fleet = None,
    event: Event = None,
    action: Action = None,
    agent: Agent = None,
    by: By = None,
    form: Annotated[Format, typer.Option("--format", help="JSON lines, or CSV.")] = Format.jsonl,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write there, for the owner's eyes alone.")
    ] = None,
    config: Config = None,
) -> None:
    """Write out lines of the exported files: of a time, a fleet, an event. Verify them first."""
    where = folder_of(folder, load_settings(None, config))
    if where is None:
        raise UsageError("there is no export here: name its folder with --dir", field="dir")
    start, end = moment_of(since, "since"), moment_of(until, "until")
    wanted = {"fleet": fleet, "event": event, "id": action, "agent": agent, "by": by}
    # A terminal would obey what agents wrote; a program gets the lines as they stand there.
    shown = safe if out is None and sys.stdout.isatty() else str
    count = 0
    with _opened(out) as file:
        writer = csv.writer(file)
        if form is Format.csv:
            writer.writerow(COLUMNS)
        for raw in lines_of(where):
            line = Sealed.read(raw.raw)
            values = line.values() if line and line.kind == Kind.LINE else None
            if values is None or entry_of(values) is None or not _fits(values, start, end, wanted):
                continue
            count += 1
            if form is Format.csv:
                writer.writerow([shown(text) for text in _row(values)])
            else:
                file.write((json_text(values) if shown is safe else raw.raw.decode()) + "\n")
    if out is not None:
        note(f"{count} lines written to {out}")
    elif not count:
        _nothing(agent)


def search(
    sql: Annotated[
        str | None,
        typer.Option("--sql", metavar="URL", help="The database. Else the settings' audit_sql."),
    ] = None,
    since: Since = None,
    until: Until = None,
    fleet: Fleet = None,
    event: Event = None,
    action: Action = None,
    agent: Agent = None,
    by: By = None,
    text: Annotated[str | None, typer.Option("--text", help="Lines that have this somewhere.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 100,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Search the database for lines of the audit trail, the newest first."""
    from guardtier_workers.trail.archive import Archive, Query

    url = sql or load_settings(None, config).audit_sql
    if url is None:
        raise UsageError(
            "which database? name it with --sql, or set audit_sql; guardtier audit export needs none",
            field="sql",
        )
    start, end = moment_of(since, "since"), moment_of(until, "until")
    archive = Archive.there(url)
    try:
        found = archive.search(Query(fleet, event, action, agent, by, text, start, end, limit))
    finally:
        archive.close()
    lines = [_read(line) for line in found]
    if as_json:
        emit({"lines": lines})
        return
    if not lines:
        _nothing(agent)
        return
    shown = table(("at", "event", "id", "fleet", "agent", "by", "says"), wraps=("says",))
    for line in lines:
        fields = _fields(line)
        says = next((fields[name] for name in SAYS if fields.get(name)), "")
        told = (fields.get(name, "") for name in ("event", "id", "fleet", "agent", "by"))
        shown.add_row(cell(line.get("at", "")), *map(cell, told), cell(says))
    console().print(shown)
    if len(lines) == limit:
        note(f"the newest {limit}; --limit shows more, --until what was before")


def moment_of(text: str | None, field: str) -> int | None:
    """A time as people write it, in ms since 1970. Raises UsageError."""
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return now_ms() - int(ago[1]) * _UNITS[ago[2]] * 1000
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{field}: a time is 90s, 30m, 2h or 7d ago, or 2026-01-31T08:00Z", field=field
        ) from error
    return int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)


def _read(line: str) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        says = (
            f"a line in the database can't be read ({line[:60]!r}): guardtier audit verify --sql says which"
        )
        raise GuardtierError(says, field="sql")
    return found


def _fits(
    values: dict[str, Any], start: int | None, end: int | None, wanted: dict[str, str | None]
) -> bool:
    at = number(values["entry"])[0]
    if (start is not None and at < start) or (end is not None and at >= end):
        return False
    fields = _fields(values)
    return all(value is None or fields.get(name) == value for name, value in wanted.items())


def _fields(values: dict[str, Any]) -> dict[str, str]:
    """What a line's event says; what is no text (``raw``) as far as it can be shown."""
    found = entry_of(values)
    said = Chained.of("", found[2]).said if found else ()
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in said
    }


def _nothing(agent: str | None) -> None:
    note("no line fits" + (f"; {AGENTS}. Others are found by --action" if agent else ""))


def _row(values: dict[str, Any]) -> list[str]:
    """A line's cells. What a spreadsheet would take for a formula is text: agents wrote it."""
    known = _fields(values) | {name: values[name] for name in LINES_OWN if name in values}
    cells = [str(known.get(name, "")) for name in COLUMNS]
    return [f"'{text}" if text.startswith(_FORMULA) else text for text in cells]


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise UsageError(f"{out} can't be written: {error.strerror}", field="out") from error
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        yield file
