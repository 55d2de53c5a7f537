"""What ``guardtier audit verify`` has looked at and found, and how that is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from guardtier.errors import ConfigError, TierUnavailable
from guardtier.store.chain import Kind as FaultKind
from guardtier.verifying import Verifier
from guardtier_workers.cli.output import cell, console, note, say, table
from guardtier_workers.trail.files import strange_in
from guardtier_workers.trail.verify import Anchor, Finding, TrailCheck, exports_in, lines_of

if TYPE_CHECKING:
    from guardtier_workers.trail.archive import Archive

MOST = 1000  #: findings that are told; what is beyond is counted


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    looked: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    exports: set[str] = field(default_factory=set)  #: that were looked at
    unreadable: bool = False  #: whether some of the files can't be read
    now: int | None = None  #: by Redis' clock (ms since 1970), where this tier exports to these files

    def add(self, found: list[Finding]) -> None:
        room = MOST - len(self.findings)
        self.findings += found[:room]
        self.more += max(len(found) - room, 0)

    def files(self, where: Path) -> list[str]:
        """The exports in a folder. Raises ConfigError where there is none."""
        says = "it is named like a file of an export, and is none: nothing of it was looked at"
        self.add([Finding(FaultKind.INSERTED, name, None, 0, "", says) for name in strange_in(where)])
        found: list[str] = []
        with self.reading(where):
            found = exports_in(where)
        self.exports.update(found)
        return found

    @contextmanager
    def reading(self, where: Path) -> Iterator[None]:
        """What can't be read is found once; all else is looked at nevertheless."""
        try:
            yield
        except ConfigError as error:
            if not self.unreadable:
                self.add([Finding("damaged", str(where), None, 0, "", error.message)])
            self.unreadable = True


def database(
    report: Report, url: str, verifier: Verifier | None, kept: dict[str, Anchor], where: Path | None
) -> None:
    """Look at the copy, beside the files that were looked at. Raises ConfigError where there was none."""
    from guardtier_workers.trail.archive import Archive

    try:
        archive = Archive.there(url)
        try:
            _copies(report, archive, verifier, kept, where)
        finally:
            archive.close()
    except TierUnavailable as error:
        report.add(
            [Finding("damaged", "sql", None, 0, "", f"{error.message}: nothing more is known of it")]
        )


def _copies(
    report: Report, archive: Archive, verifier: Verifier | None, kept: dict[str, Anchor], where: Path | None
) -> None:
    from guardtier_workers.trail.database import Beside, check_rows

    exports, of_files = archive.exports(), set(report.exports)
    report.add([_uncopied(f"export {export}") for export in of_files.difference(exports)])
    if not exports and not of_files:
        report.add([_uncopied("any export")])
    for export in exports:
        report.exports.add(export)
        check = TrailCheck(keys=verifier, anchors=of(kept, [export]))
        beside = None
        if where is not None and of_files == {export} and not report.unreadable:
            beside = Beside(lines_of(where), now=report.now)
        for found in check_rows(archive, export, check, beside):
            report.add([found])
        still = f"; {beside.left} of the files are still to be copied" if beside and beside.left else ""
        report.looked.append(f"sql, export {export}: {looked(check)}{still}")


def looked(check: TrailCheck) -> str:
    told = f"{check.entries} entries in {check.lines} lines, up to {check.last.n}"
    if check.signed:
        told += f", signed up to {check.signed}"
        told += f" ({check.tail} behind it are still to be signed for)" if check.tail else ""
    if begins := check.begins:
        first = ", ".join(f"{n} of partition {partition}" for partition, n in [*begins.items()][:3])
        told += f"; not before line {first}" + (" …" if len(begins) > 3 else "")
    old = sum(check.unchained.values())
    return told + (f"; {old} are from before there was a chain" if old else "")


def span(lines: int, first: int) -> str:
    if not lines:
        return "no lines"
    return f"{lines} lines" + (f", chained from {first} on" if first else ", none of them chained")


def of(kept: dict[str, Anchor], exports: Iterable[str]) -> list[Anchor]:
    return [kept[export] for export in exports if export in kept]


def empty(where: Path, exports: list[str]) -> list[Finding]:
    """An exporter's first act is to write a line."""
    if exports:
        return []
    says = "there is no line of any export here: nobody has exported to it, or it was emptied"
    return [Finding("missing", str(where), None, 0, "", says)]


def _uncopied(export: str) -> Finding:
    says = f"no line of {export} is in the database: nobody has copied to it, or it was emptied"
    return Finding("missing", "sql", None, 0, "", says)


def absent(export: str) -> Finding:
    says = f"no line of export {export} is here, of which the checkpoint is: taken away, or made anew"
    return Finding("missing", "checkpoint", None, 0, "", says)


def told(report: Report) -> None:
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
