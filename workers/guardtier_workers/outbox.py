"""Outbox: what a script left to be done outside of its partition. Each at least once.

Only the scripts of policy workers and stewards write to the outbox, so what stands there has been decided.
A credential of theirs can write there too: what would release an action needs a proof (grants/vouched.py).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from guardtier.store.delivery import Delivery
from guardtier_workers.lane import Lane

log = logging.getLogger(__name__)

#: What goes to the audit stream when it is done: an event, then pairs of field and value; None: nothing.
Says = Sequence[str | bytes] | None
#: Called with the partition, the action's id and the body (JSON). It may be called twice with the same.
Handler = Callable[[int, str, bytes], Awaitable[Says]]


class Outbox:
    """Hands each entry to whoever does what its ``op`` names."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)

    async def deliver(self, lane: Lane, delivery: Delivery) -> None:
        """Raises whatever the handler does: the entry comes again then."""
        op = delivery.text(b"op")
        handler = self._handlers.get(op)
        if handler is None:  # written by a newer worker: one of those takes it, or it is buried
            raise LookupError(f"nobody here does {op[:64]!r}")
        try:
            says = await handler(delivery.partition, delivery.id, delivery.fields.get(b"body", b""))
        except ValueError as error:  # pydantic's, orjson's: another try would read the same
            await self.bury(lane, delivery, f"its body can't be used: {type(error).__name__}")
            return
        await lane.ledger.done(delivery, says=says or ())

    async def bury(self, lane: Lane, delivery: Delivery, why: str) -> None:
        """Keep a copy of what failed again and again for people to look at."""
        log.error("outbox: %.64r of %.80r is given up: %s", delivery.text(b"op"), delivery.id, why)
        await lane.ledger.done(delivery, dead_letter=why)
