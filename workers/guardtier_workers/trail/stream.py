"""Stream: one partition's audit stream, as far as it has been exported."""

from __future__ import annotations

from dataclasses import dataclass, field

from guardtier.store.chain import Checker, Fault, Link
from guardtier.store.exports import Exported
from guardtier.store.keys import Keys
from guardtier_workers.clock import now_ms


@dataclass(slots=True)
class Stream:
    """What an exporter knows of it."""

    keys: Keys
    entry: str  #: the last one that was exported; "0-0" for none
    checker: Checker
    faults: int = 0  #: what was wrong with it, also before this exporter was started
    logged: set[Fault] = field(default_factory=set)  #: what was said of lines that are not written yet

    def position(self, end: Link) -> Exported:
        """How far it is, where the files end with this line. ``seq`` is 0 where nothing was exported."""
        last = self.checker.last
        n, seq = last.n if last else 0, end.n if last or self.entry != "0-0" else 0
        return Exported(self.entry, n, seq, end.h, now_ms(), self.faults)
