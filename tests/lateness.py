"""Lateness: actions on a desk whose time is over."""

from __future__ import annotations

from typing import Any

import orjson

from desk import FLEET, Desk
from guardtier import ActionEvent
from guardtier.policy.terms import Terms
from guardtier.settings import Settings
from guardtier.store.keys import Keys
from guardtier.store.ledger import Decision
from guardtier_workers.steward import Deadlines, Steward

KEYS = Keys(0)


class Late:
    """A desk with a steward beside it, and parked actions whose deadline has passed."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.settings = Settings.load(redis_url=url, fleets={FLEET: {"park_seconds": 3600}})
        self.deadlines = Deadlines(self.settings)
        self.steward = Steward(self.settings, schedule=self.deadlines)

    async def close(self) -> None:
        await self.steward.close()
        await self.deadlines.close()

    async def parked(self, terms: Terms | bytes, *, park_ms: int = 0, **fields: Any) -> ActionEvent:
        """A parked action under these terms."""
        action = self.desk.action(**fields)
        await self.desk.assess(action)
        raw = terms if isinstance(terms, bytes) else terms.to_json()
        decision = Decision("parked", "test:1", park_ms=park_ms, terms=raw)
        await self.desk.decided(action, decision)
        return action

    async def field(self, action: ActionEvent, name: str) -> bytes:
        found = await self.desk.redis.hget(self.desk.keys.action(action.id), name)
        return found or b""

    async def audit(self, action: ActionEvent, event: str) -> list[dict[bytes, bytes]]:
        lines = await self.desk.redis.xrange(KEYS.audit)
        mine = (action.id.encode(), event.encode())
        return [found for _, found in lines if (found[b"id"], found[b"event"]) == mine]

    async def outbox(self) -> list[tuple[str, Any]]:
        entries = await self.desk.redis.xrange(KEYS.outbox)
        return [(found[b"op"].decode(), orjson.loads(found[b"body"])) for _, found in entries]

    async def halts(self) -> dict[str, Any]:
        found = await self.desk.redis.hgetall(KEYS.halts)
        return {scope.decode(): orjson.loads(halt) for scope, halt in found.items()}
