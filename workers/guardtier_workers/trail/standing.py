"""Standing: where the streams stand by the last file of an export, and what that file says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from guardtier.store.chain import BEGINNING, Link, Order
from guardtier_workers.trail.files import lines_in
from guardtier_workers.trail.lines import ENTRY, Kind, Sealed, entry_of, is_behind, positions_of

Position = tuple[str, Link]  #: the last entry, and the chain's last link (which may stand before it)


@dataclass(slots=True)
class Standing:
    """What an exporter has to know to go on."""

    export: str = ""
    positions: dict[int, Position] = field(default_factory=dict)
    beside: frozenset[str] | None = None  #: other exports of this tier, by the last checkpoint
    checkpoint: int | None = None  #: the line of the file's last one
    last: Sealed | None = None
    faults: list[str] = field(default_factory=list)  #: what is wrong with the file
    _told: list[tuple[int, int]] = field(default_factory=list)  #: line and partition of each fault in it

    @classmethod
    def of(cls, name: Path) -> Standing:
        """Read a file from its first line to its last. ``last`` is None where it has not even one."""
        made, order = cls(), None
        for _, raw, _whole in lines_in(name):
            line = Sealed.read(raw)
            if line is None:
                made.faults.append(f"{name.name}: a line can't be read")
                continue
            values = line.values()
            if order is None:
                before = Link(line.seq - 1, str(values.get("previous", "")), "") if line.seq > 1 else None
                order = Order(before)
                made.export = str(values.get("export", "")) or token_hex(4)
                made.positions = positions_of(values)
            made.faults += [
                f"{name.name}: line {f.n}: {f.says}" for f in order.link(line.link, line.follows)
            ]
            made._take(line, values)
        return made

    def told(self, partition: int, behind: int) -> int:
        """How many faults of a partition the file has behind this line; those of files are of the first."""
        return sum(1 for seq, whose in self._told if seq > behind and whose == partition)

    def moved(self, partition: int, entry: str, n: int | None, h: str | None) -> None:
        """A line of this partition has been written."""
        link = self.positions.get(partition, ("0-0", BEGINNING))[1]
        self.positions[partition] = (entry, Link(n, h, entry) if n and h else link)

    def back(self, partition: int, entry: str) -> None:
        """Redis has lost what this partition had behind that entry: the next line is one behind it."""
        at, link = self.positions.get(partition, ("0-0", BEGINNING))
        if is_behind(at, entry):
            self.positions[partition] = (entry, link)

    def kept(self) -> dict[str, Any]:
        """The positions as a line has them; ``positions_of`` is the way back."""
        return {
            "positions": {
                str(partition): {"entry": entry, "n": link.n, "h": link.h, "last": link.entry}
                for partition, (entry, link) in sorted(self.positions.items())
            }
        }

    def _take(self, line: Sealed, values: Mapping[str, Any]) -> None:
        self.last = line
        if line.kind == Kind.LINE and (found := entry_of(values)) is not None:
            self.moved(found[0], found[1], values.get("n"), values.get("h"))
        elif line.kind == Kind.FAULT:
            self._note(line.seq, values.get("partition"), values.get("behind"))
        elif line.kind == Kind.CHECKPOINT:
            beside = values.get("beside")
            self.checkpoint = line.seq
            self.beside = frozenset(map(str, beside)) if isinstance(beside, list) else None

    def _note(self, seq: int, partition: object, behind: object) -> None:
        self._told.append((seq, partition if isinstance(partition, int) else 0))
        if isinstance(partition, int) and isinstance(behind, str) and ENTRY.fullmatch(behind):
            self.back(partition, behind)
