"""Impostor: who speaks as the tier does, by writing to its Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from guardtier import ActionEvent, GuardClient
from guardtier.store.keys import Keys
from tier import Tier
from waiting import until

KEYS = Keys(0)


class Impostor:
    """Somebody who may write to Redis, and has no key: they answer before the tier does."""

    def __init__(self, tier: Tier) -> None:
        self._redis = tier.redis

    async def answer(
        self, client: GuardClient, action_id: str, verdict: bytes, *, state: str = "released", **more: Any
    ) -> None:
        """Tell the client, once it reads."""
        reply = KEYS.reply(client.fleet, client.client_id)
        await self._redis.xadd(reply, {"id": action_id, "state": state, "verdict": verdict} | more)

    async def told(
        self,
        client: GuardClient,
        action: ActionEvent,
        verdict: bytes,
        *,
        ask: Callable[..., Any] | None = None,
        state: str = "released",
    ) -> Any:
        """Let the client ask a tier without workers, and answer in their place."""
        asking = asyncio.create_task((ask or client.check)(action, timeout=90))
        stream = KEYS.actions(client.fleet)
        asked = f"{action.id.removesuffix('.0')}.0"

        async def sent() -> dict[bytes, bytes] | None:
            entries = await self._redis.xrange(stream)
            return next((fields for _, fields in entries if fields[b"id"].decode() == asked), None)

        fields = await until(sent)
        more = {"token": fields[b"token"]} if b"token" in fields else {}
        await self.answer(client, asked, verdict, state=state, **more)
        return await asking
