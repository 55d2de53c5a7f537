"""Looks: approvers are shown what they may see."""

from __future__ import annotations

from guardtier.store.delivery import Delivery
from guardtier.store.scripting import Scripts, Transition

KEPT = 8  #: replies with records that are kept for one client in one partition


class Looks(Scripts):
    """The part of the ledger that answers approvers' questions. It changes no action."""

    async def shown(self, delivery: Delivery, *, told: str, body: bytes) -> Transition:
        """Tell an approver's client what it has looked for (JSON)."""
        keys = self._keys
        return await self._run(
            "look",
            [delivery.stream, keys.told(told), keys.shown(told)],
            [delivery.group, delivery.entry, delivery.id, body, self._keep.reply_ms, KEPT],
        )
