"""Database: an export's copy in a database, verified line by line, and its columns with it."""

from __future__ import annotations

from collections.abc import Iterator

from guardtier_workers.trail.archive import Archive, row_of
from guardtier_workers.trail.lines import Sealed
from guardtier_workers.trail.verify import Finding, TrailCheck


def check_rows(archive: Archive, export: str, check: TrailCheck) -> Iterator[Finding]:
    """What is wrong with the lines of one export, and with the columns that they are found by."""
    for raw, row in archive.lines(export):
        entry, found = check.line(raw)
        yield from found
        line = Sealed.read(raw.raw)
        if line is None or found:
            continue
        wrong = sorted(name for name, value in row_of(export, line).items() if row[name] != value)
        if wrong:
            partition, n, at = (entry.partition, row["n"] or 0, entry.entry) if entry else (None, 0, "")
            says = f"the columns {', '.join(wrong)} do not say what the line says"
            yield Finding("changed", raw.where, partition, n, at, says)
    yield from check.end()
