"""Shelf: parked actions in the order of the inbox, and how many of which risk each fleet has."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import attrgetter

from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier_workers.console.board.item import Item

_ORDER = attrgetter("order")


class Shelf:
    """One item an id. To put or to drop one costs a few microseconds among ten thousand."""

    def __init__(self) -> None:
        self._by_id: dict[str, Item] = {}
        self._ordered: list[Item] = []
        self._counts: dict[str, Counter[SecurityRisk]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, action_id: str) -> bool:
        return action_id in self._by_id

    def __iter__(self) -> Iterator[Item]:
        """In no order."""
        return iter(self._by_id.values())

    def get(self, action_id: str) -> Item | None:
        return self._by_id.get(action_id)

    def put(self, item: Item) -> Item | None:
        """Put an item there; returns the one that it takes the place of."""
        before = self.drop(item.id)
        self._by_id[item.id] = item
        insort(self._ordered, item, key=_ORDER)
        self._counts.setdefault(item.fleet, Counter())[item.risk] += 1
        return before

    def drop(self, action_id: str) -> Item | None:
        """Take an item away; returns it, None where there is none."""
        item = self._by_id.pop(action_id, None)
        if item is not None:
            del self._ordered[bisect_left(self._ordered, item.order, key=_ORDER)]
            counts = self._counts[item.fleet]
            counts[item.risk] -= 1
            if not counts.total():
                del self._counts[item.fleet]
        return item

    def ordered(self, after: tuple[int, int, str] | None = None) -> Iterator[Item]:
        """Those behind an order (None: all), the first one first. Not to be changed meanwhile."""
        start = bisect_right(self._ordered, after, key=_ORDER) if after is not None else 0
        return (self._ordered[at] for at in range(start, len(self._ordered)))

    def fleets(self) -> Iterable[str]:
        """Those that have something here."""
        return self._counts.keys()

    def counts(self, me: Me) -> Counter[SecurityRisk]:
        """How many of each risk there are that this approver sees."""
        found: Counter[SecurityRisk] = Counter()
        for fleet, counts in self._counts.items():
            if me.sees(fleet):
                found.update(counts)
        return found
