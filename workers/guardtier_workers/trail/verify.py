"""Verify: is given the lines of an export in their order, and names what was done to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any, NamedTuple

from guardtier.errors import GuardtierError, UnknownKey
from guardtier.store.chain import Chained, Checker, Fault, Link, Order, Pairs
from guardtier.store.chain import Kind as FaultKind
from guardtier.verifying import Verifier
from guardtier_workers.trail.files import files_in, first_of, lines_in
from guardtier_workers.trail.lines import (
    MOST_UNSIGNED,
    MOST_UNSIGNED_SECONDS,
    NOTHING,
    PURPOSE,
    Kind,
    Sealed,
    at_of,
    entry_of,
    number,
    positions_of,
    signed_text,
)

WRITING_SECONDS = 0.5  #: for a line that is being written while it is read
RECENT = 10_000  #: hashes that are remembered of each partition
MOST_RECORDED = 10_000  #: faults that the exporter wrote down, so that they are told once


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: ``audit-000000000001.jsonl:7``, ``sql:7``, ``redis:0``."""

    what: str
    where: str
    partition: int | None
    n: int
    entry: str
    says: str


class Raw(NamedTuple):
    """One line, and where it was found. Not ``whole``: it has no end."""

    where: str
    raw: bytes
    whole: bool = True


class Anchor(NamedTuple):
    """A line that somebody else remembers: ``whose`` says who. ``must``: it is missed as well where the
    export begins behind it, since older files were taken away.
    """

    seq: int
    sha256: str
    whose: str
    must: bool = True


class Entry(NamedTuple):
    """An entry of an audit stream, as an export has it."""

    where: str
    partition: int
    entry: str
    pairs: Pairs


class TrailCheck:
    """Reads an export from its first line to its last. ``anchors`` are lines that must be among them.

    With ``keys`` each checkpoint's signature is verified; an export without any is not believed then, nor
    one with more lines behind the last than a running exporter leaves unsigned. ``now`` (ms since 1970):
    one should be running.
    """

    def __init__(
        self, *, keys: Verifier | None = None, anchors: Iterable[Anchor] = (), now: int | None = None
    ) -> None:
        self._keys, self._now = keys, now
        self._anchors = sorted(anchors)
        self._order = Order()
        self._checkers: dict[int, Checker] = {}
        self._recorded: set[tuple[int, str, int]] = set()
        self._gaps: dict[tuple[int, str], str] = {}  #: the entry behind missing ones → where it stands
        self._where = ""
        self.entries = 0  #: entries of audit streams
        self.lines = 0
        self.signed = 0  #: up to this line a signature covers everything
        #: When that was (ms since 1970): not before what is covered, whatever its clock.
        self._signed_at = 0
        self._latest = 0  #: of the entries behind it (ms since 1970)
        self.exports: list[str] = []
        self.unchained: dict[int, int] = {}  #: partition → its lines from before there was a chain

    @property
    def last(self) -> Link:
        """The last line's number and hash."""
        return self._order.last or Link(0, NOTHING, "")

    @property
    def reached(self) -> dict[int, Link]:
        """The last link of each partition's chain."""
        return {p: one.last for p, one in sorted(self._checkers.items()) if one.last and one.last.n}

    @property
    def begins(self) -> dict[int, int]:
        """The number of the first line of each partition; what was before is not in these files."""
        return {p: one.first for p, one in sorted(self._checkers.items()) if one.first > 1}

    def line(self, given: Raw) -> tuple[Entry | None, list[Finding]]:
        """The entry that stands there, where one does, and what is wrong."""
        self.lines += 1
        self._where = given.where
        line = Sealed.read(given.raw) if given.whole else None
        values = line.values() if line else {}
        if line is None or not values:
            torn = "it has no end: the exporter cuts it off" if not given.whole else "it can't be read"
            return None, [Finding("torn" if not given.whole else "changed", given.where, None, 0, "", torn)]
        found: list[Finding] = []
        if line.kind == Kind.OPEN:
            found += self._opens(line, values)
        link = Link(line.seq, line.sha256, given.where)
        headless = self._order.last is None and line.kind != Kind.OPEN
        found += [self._of_line(fault, line) for fault in self._order.link(link, line.follows)]
        if headless:
            says = f"it begins with line {line.seq}, which begins no file: what stood before is cut off"
            found.append(Finding(FaultKind.MISSING, given.where, None, 0, "", says))
        found += self._anchored(line)
        if line.kind == Kind.CHECKPOINT:
            found += self._checkpoint(line)
        elif line.kind == Kind.FAULT:
            found += self._fault(values)
        entry = self._entry(values) if line.kind == Kind.LINE else None
        if line.kind == Kind.LINE and entry is None and not found:
            found.append(Finding("changed", given.where, None, 0, "", "it is no line of an audit stream"))
        if entry is not None:
            found = [self._named(one, entry) for one in found]
            found += self._in_stream(entry, told=bool(found))
        return entry, found

    def end(self) -> list[Finding]:
        """What can only be said at the end: what is missing, or was cut off."""
        found = [
            Finding(f.kind, f.entry, None, 0, "", f"of the export, {f.says}") for f in self._order.end()
        ]
        for partition, checker in self._checkers.items():
            for fault in checker.end():
                if (partition, str(fault.kind), fault.n) not in self._recorded:
                    where = self._gaps.get((partition, fault.entry), self._where)
                    found.append(self._of_stream(fault, partition, where))
        for anchor in self._anchors:
            says = f"{anchor.whose} knows line {anchor.seq} of the export; it ends with {self.last.n}"
            found.append(Finding(FaultKind.TRUNCATED, self._where, None, 0, "", says))
        says = self._unsigned()
        return [*found, Finding("unsigned", self._where, None, 0, "", says)] if says else found

    @property
    def tail(self) -> int:
        """How many lines stand behind the last signed checkpoint."""
        return self.last.n - self.signed if self.signed else 0

    def _unsigned(self) -> str:
        """What is wrong with the lines that no signature covers; "" for nothing."""
        if self._keys is None or not self.lines:
            return ""
        if not self.signed:
            return "no checkpoint in it is signed by the given keys"
        seconds = (max(self._latest, self._now or 0) - self._signed_at) // 1000
        if not self.tail or (self.tail <= MOST_UNSIGNED and seconds <= MOST_UNSIGNED_SECONDS):
            return ""
        return (
            f"{self.tail} lines stand behind the last signed checkpoint (line {self.signed}), up to "
            f"{seconds} s after it. An exporter leaves {MOST_UNSIGNED} at the most, and none for more than "
            f"{MOST_UNSIGNED_SECONDS} s: it does not run, or it can't sign, or they were put in"
        )

    def _opens(self, line: Sealed, values: dict[str, Any]) -> Iterator[Finding]:
        named = first_of(self._where.rpartition(":")[0])
        if named not in (None, line.seq):
            says = f"the file is named as if it began with line {named}, and it begins with {line.seq}"
            yield Finding("changed", self._where, None, 0, "", says)
        export = str(values.get("export", ""))
        if export not in self.exports:
            self.exports.append(export)
        if self._order.last is None:  # older files may have been taken away
            self._order.last = (
                Link(line.seq - 1, str(values.get("previous", "")), "") if line.seq > 1 else None
            )
            for partition, (_, link) in positions_of(values).items():
                self._checkers[partition] = Checker(link if link.n else None, recent=RECENT)

    def _entry(self, values: dict[str, Any]) -> Entry | None:
        found = entry_of(values)
        return Entry(self._where, *found) if found else None

    def _in_stream(self, entry: Entry, *, told: bool) -> Iterator[Finding]:
        """What the stream's own chain says of an entry; once, where the line itself is wrong."""
        self.entries += 1
        self._latest = max(self._latest, number(entry.entry)[0])
        checker = self._checkers.setdefault(entry.partition, Checker(recent=RECENT))
        last, n = checker.last, _number_of(entry)
        if last is not None and n > last.n + 1:
            self._gaps[entry.partition, entry.entry] = entry.where
        for fault in [*checker.line(entry.entry, entry.pairs)]:
            known = (entry.partition, str(fault.kind), fault.n) in self._recorded
            if not known and not told:
                yield self._of_stream(fault, entry.partition)
        if checker.unchained:
            self.unchained[entry.partition] = checker.unchained

    def _anchored(self, line: Sealed) -> Iterator[Finding]:
        while self._anchors and self._anchors[0].seq <= line.seq:
            anchor = self._anchors.pop(0)
            if anchor.seq == line.seq and anchor.sha256 != line.sha256:
                says = f"{anchor.whose} knows another line {anchor.seq} of the export"
                yield Finding("changed", self._where, None, 0, "", says)
            elif anchor.must and anchor.seq < self._order.first:
                says = f"{anchor.whose} knows line {anchor.seq} of the export; it begins with {line.seq}"
                yield Finding(FaultKind.MISSING, self._where, None, 0, "", says)

    def _checkpoint(self, line: Sealed) -> Iterator[Finding]:
        if self._keys is None:
            return
        if (signed := line.signature()) is None:
            if self.signed:  # before the first one that is signed: the tier had no keys yet
                says = "the checkpoint has no signature, those before it have"
                yield Finding("unsigned", self._where, None, 0, "", says)
            return
        before = self._before or NOTHING
        try:
            self._keys.check(PURPOSE, signed_text(before, signed[0]), signed[1])
        except GuardtierError as error:
            what = "unsigned" if isinstance(error, UnknownKey) else "changed"
            yield Finding(what, self._where, None, 0, "", f"the checkpoint's signature: {error.message}")
        else:
            self._signed_at = max(at_of(line.values().get("at")), self._latest, self._signed_at)
            self.signed, self._latest = line.seq, 0

    @property
    def _before(self) -> str | None:
        """The hash of the line before the one that is looked at."""
        last = self._order.last
        return self._order.hash_at(last.n - 1) if last else None

    def _fault(self, values: dict[str, Any]) -> Iterator[Finding]:
        """What the exporter saw in Redis. It wrote down what stood there."""
        partition, n = values.get("partition"), values.get("n")
        if partition is None:  # of the files themselves
            says = f"the exporter says: {values.get('says')}"
            yield Finding(str(values.get("what")), self._where, None, 0, "", says)
        if not isinstance(partition, int) or not isinstance(n, int):
            return
        if len(self._recorded) < MOST_RECORDED:
            self._recorded.add((partition, str(values.get("what")), n))
        says = f"seen in Redis when it was exported: {values.get('says')}"
        yield Finding(str(values.get("what")), self._where, partition, n, str(values.get("entry")), says)

    def _of_line(self, fault: Fault, line: Sealed) -> Finding:
        return Finding(fault.kind, self._where, None, 0, "", f"line {line.seq} of the export: {fault.says}")

    def _of_stream(self, fault: Fault, partition: int, where: str = "") -> Finding:
        return Finding(fault.kind, where or self._where, partition, fault.n, fault.entry, fault.says)

    def _named(self, found: Finding, entry: Entry) -> Finding:
        return Finding(found.what, found.where, entry.partition, _number_of(entry), entry.entry, found.says)


def _number_of(entry: Entry) -> int:
    link = Chained.of(entry.entry, entry.pairs).link
    return link.n if link else 0


def lines_of(folder: Path) -> Iterator[Raw]:
    """Every line of an export's files, with file and line. Raises ConfigError where there is no folder."""
    for name in files_in(folder):
        for at, raw, whole in lines_in(name):
            if whole:
                yield Raw(f"{name.name}:{at}", raw)
                continue
            sleep(WRITING_SECONDS)  # it may be about to be written; what follows is for the next look
            again = [one for one in lines_in(name) if one[0] == at]  # none: an exporter has cut it off
            yield from (Raw(f"{name.name}:{at}", *now[1:]) for now in again)
            break


def exports_in(folder: Path) -> list[str]:
    """The exports whose files are in a folder, by the first line of each file."""
    found: set[str] = set()
    for name in files_in(folder):
        first = next((Sealed.read(raw) for _, raw, _whole in lines_in(name)), None)
        if first is not None:
            found.add(str(first.values().get("export", "")))
    return sorted(found)
