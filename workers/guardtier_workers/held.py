"""Held: the deliveries that one lane waits with or works on, and for how long each has been in work."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from guardtier.store.delivery import Delivery

log = logging.getLogger(__name__)

LONGEST_STEP = 3.5  #: seconds: a worker that stood still for longer counts as dead, so that was no work


class _Item:
    __slots__ = ("delivery", "seconds", "task")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.task: asyncio.Task[None] | None = None
        self.seconds = 0.0


class Held:
    """What this worker need not be given once more.

    Time in work is counted in steps, each when Redis has answered: while Redis is away, or a part of it, or
    this process is frozen, no handler can get on, and none is at fault. At most ``most`` are in work at
    once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._deaf: set[asyncio.Task[None]] = set()  # cancelled, and not yet ended
        self._items: dict[tuple[str, str], _Item] = {}
        self._counted_at = monotonic()

    def __contains__(self, entry: tuple[str, str]) -> bool:
        return entry in self._items

    def take(self, delivery: Delivery) -> bool:
        """False where it is held already."""
        key = (delivery.stream, delivery.entry)
        if key in self._items:
            return False
        self._items[key] = _Item(delivery)
        return True

    def begin(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        """It is in work from now on."""
        self._items[delivery.stream, delivery.entry].task = task

    def renew(self, delivery: Delivery) -> None:
        """Its handler says that it gets on: its time begins anew."""
        item = self._items.get((delivery.stream, delivery.entry))
        if item is not None and item.delivery is delivery:
            item.seconds = 0.0

    def let_go(self, delivery: Delivery) -> bool:
        """Hold it no longer. False where it was let go before, whoever holds its entry now."""
        key = (delivery.stream, delivery.entry)
        item = self._items.get(key)
        if item is None or item.delivery is not delivery:
            return False
        del self._items[key]
        return True

    def count_time(self, *, held_up: bool = False) -> None:
        """All that is in work has been so since the last call, for 3.5 s of it at the most; not where it is
        ``held_up``: it may wait for a part of Redis that is away, or for a slot that is on its way.
        """
        now = monotonic()
        step, self._counted_at = min(now - self._counted_at, LONGEST_STEP), now
        if held_up:
            return
        for item in self._items.values():
            if item.task is not None:
                item.seconds += step

    def give_up(self, seconds: float) -> int:
        """Cancel what has been in work for longer, and hold it no longer; returns how much that was.

        Raises RuntimeError where ``most`` tasks that were cancelled before have not ended: they don't
        listen, and leave no room for others.
        """
        if len(self._deaf) >= self._most:
            raise RuntimeError(
                f"{len(self._deaf)} handlers hang and can't be cancelled: this worker ends, so that its "
                "deliveries go to another"
            )
        overdue = [item for item in self._items.values() if item.task and item.seconds > seconds]
        for item in overdue:
            self.let_go(item.delivery)
            self._cancel(item, seconds)
        return len(overdue)

    def _cancel(self, item: _Item, seconds: float) -> None:
        assert item.task is not None  # noqa: S101 - it is in work
        log.error(
            "delivery %s of %s failed: after %g s (claim_seconds) its handler was not done, and is "
            "cancelled; it was delivery %d",
            item.delivery.entry,
            item.delivery.stream,
            seconds,
            item.delivery.deliveries,
        )
        self._deaf.add(item.task)
        item.task.add_done_callback(self._deaf.discard)
        item.task.cancel()
