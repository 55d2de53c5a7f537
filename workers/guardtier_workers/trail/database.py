"""Database: an export's copy in a database, verified line by line, with its columns, beside its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guardtier.store.chain import Kind as FaultKind
from guardtier.store.chain import lines
from guardtier_workers.trail.archive import Archive
from guardtier_workers.trail.lines import MOST_UNSIGNED_SECONDS, Kind, Sealed, entry_of, number
from guardtier_workers.trail.table import row_of
from guardtier_workers.trail.verify import Entry, Finding, Raw, TrailCheck

LATE_SECONDS = MOST_UNSIGNED_SECONDS  #: a line of the files that was not copied for so long is missed


class Beside:
    """Goes along the files of the same export. ``now`` (ms since 1970): a steward should be copying."""

    def __init__(self, files: Iterable[Raw], *, now: int | None = None) -> None:
        self._files = ((raw.where, line) for raw in files if (line := Sealed.read(raw.raw)) and raw.whole)
        self._next = next(self._files, None)
        self._now = now
        self._met = self._differs = False
        self.left = 0  #: lines of the files behind the last row

    def meet(self, row: Raw, entry: Entry | None, *, told: bool) -> Iterator[Finding]:
        """What the files say of a row, but for what the chain of the rows says themselves (``told``)."""
        line = Sealed.read(row.raw)
        if line is None:
            return
        first = self._next[1].seq if self._next else 0
        while self._next and self._next[1].seq < line.seq:
            self._next = next(self._files, None)
        if not self._met and 0 < first < line.seq:
            says = f"{lines(first, line.seq - 1)} in the files, and not here"
            yield Finding(FaultKind.MISSING, row.where, None, 0, "", f"of the export, {says}")
        self._met = True
        if self._next is None or self._next[1].seq != line.seq:
            return
        where, mine = self._next
        if mine.raw != row.raw and not told and not self._differs:
            self._differs = True
            says = f"it is not what {where} says, nor need be what stands behind it"
            partition, at = (entry.partition, entry.entry) if entry else (None, "")
            yield Finding(FaultKind.CHANGED, row.where, partition, 0, at, says)
        self._next = next(self._files, None)

    def end(self, last: int) -> Iterator[Finding]:
        """What the files have behind the last row: copied soon, or cut off."""
        first = newest = 0
        while self._next:
            line = self._next[1]
            entry = entry_of(line.values()) if line.kind == Kind.LINE else None
            if line.seq > last:
                self.left += 1
                newest = number(entry[1])[0] if entry else newest
                first = first or newest
            self._next = next(self._files, None)
        seconds = (max(newest, self._now or 0) - first) // 1000
        if first and seconds > LATE_SECONDS:
            says = (
                f"it ends with line {last}, and the files have {self.left} more, the first for {seconds} s"
            )
            yield Finding(
                FaultKind.TRUNCATED, "sql", None, 0, "", f"{says}: its end was cut off, or nobody copies"
            )


def check_rows(
    archive: Archive, export: str, check: TrailCheck, beside: Beside | None = None
) -> Iterator[Finding]:
    """What is wrong with the lines of one export, and with the columns that they are found by."""
    for raw, row in archive.lines(export):
        entry, found = check.line(raw)
        yield from found
        if beside is not None:
            yield from beside.meet(raw, entry, told=bool(found))
        line = Sealed.read(raw.raw)
        if line is None or found:
            continue
        wrong = sorted(name for name, value in row_of(export, line).items() if row[name] != value)
        if wrong:
            partition, n, at = (entry.partition, row["n"] or 0, entry.entry) if entry else (None, 0, "")
            says = f"the columns {', '.join(wrong)} do not say what the line says"
            yield Finding("changed", raw.where, partition, n, at, says)
    yield from check.end()
    if others := [name for name in check.exports if name != export]:
        says = f"the rows say that they are of export {export}, and their lines of {', '.join(others)}"
        yield Finding("changed", "sql", None, 0, "", says)
    if beside is not None:
        yield from beside.end(check.last.n)
