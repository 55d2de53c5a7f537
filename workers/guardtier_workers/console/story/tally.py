"""Tally: how many decisions of each kind there were, and how long people took, by five minutes and fleet.

It is kept in memory, by following the audit streams; after a start it is made of what they still hold.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final, TypeAlias

from guardtier.store.trail import Line
from guardtier_workers.console.story.lines import details_of

SLOT_MS: Final = 5 * 60_000
KEPT_MS: Final = 7 * 24 * 3_600_000
_MOST_CELLS: Final = 50_000  #: five minutes of one fleet each, some 250 bytes; the oldest go
_MOST_HALVES: Final = 50_000  #: actions of which the beginning or the end of the wait is known

#: What is counted. ``ruled``: rejected by a policy, a block or a halt, before anybody was asked.
KINDS: Final = ("released", "parked", "approved", "rejected", "expired", "ruled")
_ANSWERED: Final = frozenset({"approved", "rejected", "expired"})
#: Upper ends (ms) of the classes of waiting times: from half a second to 12 days, by factors of 1.41.
EDGES: Final = tuple(int(500 * 2 ** (step / 2)) for step in range(42))
_WIDTH: Final = len(KINDS) + len(EDGES)

Cell: TypeAlias = "array[int]"  #: the counts of ``KINDS``, then those of the classes


class Tally:
    """Takes lines in any order. ``fleets``: those that it has lines of."""

    def __init__(self, *, most_cells: int = _MOST_CELLS, most_halves: int = _MOST_HALVES) -> None:
        self._most_cells, self._most_halves = most_cells, most_halves
        self._slots: dict[int, dict[str, Cell]] = {}
        self._cells = 0
        #: id → whether it is the end that is known, and when that was
        self._halves: dict[str, tuple[bool, int]] = {}
        self.dropped_before = 0  #: what is older than that (ms) is not all there

    @property
    def fleets(self) -> frozenset[str]:
        return frozenset(fleet for slot in self._slots.values() for fleet in slot)

    def take(self, line: Line) -> None:
        """One line; those that say nothing of a decision change nothing."""
        kind = _kind(line)
        if kind is None:
            return
        fleet = line.text("fleet")
        cell = self._cell(line.at, fleet)
        if cell is None:
            return
        cell[KINDS.index(kind)] += 1
        if kind in _ANSWERED or kind == "parked":
            self._match(line.text("id"), line.at, fleet, is_end=kind != "parked")

    def sum(self, start: int, end: int, sees: Callable[[str], bool]) -> Cell:
        """What there was from ``start`` until before ``end`` (ms, of whole slots), of some fleets."""
        total = array("Q", bytes(8 * _WIDTH))
        for number in range(start // SLOT_MS, end // SLOT_MS):
            for fleet, cell in self._slots.get(number, {}).items():
                if sees(fleet):
                    _add(total, cell)
        return total

    def forget_before(self, at: int) -> None:
        for number in [number for number in self._slots if number < at // SLOT_MS]:
            self._drop(number)

    def clear(self) -> None:
        self._slots.clear()
        self._halves.clear()
        self._cells = self.dropped_before = 0

    def _cell(self, at: int, fleet: str) -> Cell | None:
        """None for what is older than all that there is room for."""
        if at < self.dropped_before:
            return None
        slot = self._slots.setdefault(at // SLOT_MS, {})
        cell = slot.get(fleet)
        if cell is None:
            cell = slot[fleet] = array("I", [0]) * _WIDTH
            self._cells += 1
            while self._cells > self._most_cells and len(self._slots) > 1:
                oldest = min(self._slots)
                self._drop(oldest)
                self.dropped_before = (oldest + 1) * SLOT_MS
        return cell

    def _drop(self, number: int) -> None:
        self._cells -= len(self._slots.pop(number))

    def _match(self, action_id: str, at: int, fleet: str, *, is_end: bool) -> None:
        """The wait of an action is counted where its end is, once both are known."""
        known = self._halves.pop(action_id, None)
        if known is None or known[0] == is_end:
            self._halves[action_id] = (is_end, at)
            if len(self._halves) > self._most_halves:
                del self._halves[next(iter(self._halves))]
            return
        end, start = (at, known[1]) if is_end else (known[1], at)
        cell = self._cell(end, fleet)
        if cell is not None:
            cell[len(KINDS) + _class_of(end - start)] += 1


def waiting(cell: Iterable[int], part: float) -> int | None:
    """Within how many milliseconds this part (0 to 1) of the answers came, to 20 %; None without any."""
    classes = list(cell)[len(KINDS) :]
    wanted, seen = sum(classes) * part, 0
    if not wanted:
        return None
    for (low, high), count in zip(pairwise((0, *EDGES)), classes, strict=True):
        if count and seen + count >= wanted:
            return int(low + (high - low) * (wanted - seen) / count)
        seen += count
    return None


def _kind(line: Line) -> str | None:
    event = line.fields.get(b"event", b"").decode(errors="backslashreplace")
    if event not in KINDS or event == "ruled":
        return None
    if event != "rejected":
        return event
    details = details_of(line)
    return "rejected" if "choice" in details or "halt" in details else "ruled"


def _class_of(wait_ms: int) -> int:
    return next((number for number, edge in enumerate(EDGES) if wait_ms <= edge), len(EDGES) - 1)


def _add(total: Cell, cell: Cell) -> None:
    for number, count in enumerate(cell):
        if count:
            total[number] += count
