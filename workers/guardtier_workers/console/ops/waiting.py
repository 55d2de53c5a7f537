"""Waiting: what waits for a person, fleet by fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guardtier.risk import SecurityRisk
from guardtier_workers.console.board.item import Item


@dataclass(slots=True)
class Waiting:
    """``oldest``: when the one that has waited longest came (ms since 1970); None: nothing waits."""

    by_risk: dict[SecurityRisk, int] = field(default_factory=dict)
    oldest: int | None = None

    @property
    def count(self) -> int:
        return sum(self.by_risk.values())

    def add(self, item: Item) -> None:
        self.by_risk[item.risk] = self.by_risk.get(item.risk, 0) + 1
        self.oldest = item.received_at if self.oldest is None else min(self.oldest, item.received_at)


def waiting_by_fleet(items: Iterable[Item]) -> Mapping[str, Waiting]:
    """Of the fleets in which something waits."""
    found: dict[str, Waiting] = {}
    for item in items:
        found.setdefault(item.fleet, Waiting()).add(item)
    return found
