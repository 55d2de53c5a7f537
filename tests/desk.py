"""Desk: one partition's ledger worked by hand, one step at a time, without a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, NamedTuple

from redis.asyncio import Redis

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import GuardtierError
from guardtier.risk import SecurityRisk
from guardtier.state import State
from guardtier.store.answers import Resolution
from guardtier.store.connection import AnyRedis
from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS, POLICIES, Keys
from guardtier.store.ledger import Decision, Ledger, Retention, Transition
from guardtier.store.pipe import CommandPipe
from guardtier.store.upkeep import Upkeep
from guardtier.verdict import Outcome, Verdict

FLEET, CLIENT, CONSUMER = "web", "client-1", "worker-1"
RETENTION = Retention(record_ms=600_000, reply_ms=300_000)
HOUR_MS = 3_600_000


class Snapshot(NamedTuple):
    """Everything that a transition may change, but for what is pending."""

    record: dict[bytes, bytes]
    parked: list[Any]
    assessed: list[Any]
    audit: list[Any]
    dead: list[Any]
    replies: list[Any]
    open: list[Any]
    policies: dict[bytes, bytes]


class Desk:
    """Gives each script the entry it belongs to, as a worker would have been given it."""

    def __init__(self, redis: AnyRedis, url: str = "") -> None:
        self.redis, self.url = redis, url
        self.keys = Keys(0)
        self.pipe = CommandPipe(redis, insist=False)
        self.ledger = Ledger(self.pipe, self.keys, RETENTION)
        self._given: dict[tuple[str, str], Delivery] = {}

    async def open(self) -> None:
        await Upkeep(self.redis, 1).prepare([FLEET])

    async def close(self) -> None:
        await self.pipe.close()

    def action(self, **fields: Any) -> ActionEvent:
        known = {"fleet": FLEET, "agent": "agent-1", "tool_name": "terminal"}
        return ActionEvent(**known | fields).placed_in(0)

    async def given(self, stream: str, group: str, **fields: Any) -> Delivery:
        """A new entry of a work stream, handed to our worker and pending from now on."""
        await self.redis.xadd(stream, fields)
        return (await self._read(stream, group))[-1]

    async def asked(self, action: ActionEvent, op: str, client: str = CLIENT) -> Delivery:
        stream = self.keys.actions(action.fleet)
        return await self.given(stream, ANALYZERS, id=action.id, client=client, op=op)

    async def assessed_entry(self, action: ActionEvent) -> Delivery:
        """The entry that ``assess`` wrote for the policy worker; one by hand where it wrote none."""
        await self._read(self.keys.assessed, POLICIES)
        found = self._given.get((self.keys.assessed, action.id))
        return found or await self.given(self.keys.assessed, POLICIES, id=action.id)

    async def assess(
        self,
        action: ActionEvent,
        *,
        delivery: Delivery | None = None,
        client: str = CLIENT,
        dead_letter: str = "",
    ) -> Transition:
        return await self.ledger.assess(
            delivery or await self.asked(action, "submit", client),
            client=client,
            action=action,
            event=action.to_json(),
            assessment=Assessment(risk=SecurityRisk.HIGH),
            dead_letter=dead_letter,
        )

    async def decide(
        self,
        action: ActionEvent,
        outcome: str,
        *,
        delivery: Delivery | None = None,
        park_ms: int = HOUR_MS,
        waiters: str = CLIENT,
        dead_letter: str = "",
    ) -> Transition:
        verdict = None if outcome == State.PARKED else verdict_on(action, outcome)
        decision = Decision(outcome, "test:1", verdict, park_ms)
        return await self.decided(
            action, decision, delivery=delivery, waiters=waiters, dead_letter=dead_letter
        )

    async def decided(
        self,
        action: ActionEvent,
        decision: Decision,
        *,
        delivery: Delivery | None = None,
        waiters: str = CLIENT,
        dead_letter: str = "",
    ) -> Transition:
        """Record this decision as it is."""
        return await self.ledger.decide(
            delivery or await self.assessed_entry(action),
            decision,
            fleet=FLEET,
            agent=action.agent,
            conversation=action.conversation or "",
            digest=action.digest,
            waiters=waiters,
            dead_letter=dead_letter,
        )

    async def resolve(
        self,
        action: ActionEvent,
        outcome: str,
        *,
        delivery: Delivery | None = None,
        waiters: str = CLIENT,
        verdict: Verdict | None = None,
        **made: Any,
    ) -> Transition:
        """Let an answer take effect, ``answered``: without a decision. ``made``: other fields of it."""
        delivery = delivery or await self.given(self.keys.answers, POLICIES, id=action.id)
        if outcome != "answered":
            verdict = verdict_on(action, outcome) if verdict is None else verdict
        record = self.keys.action(action.id)
        fields = ["revised", "votes", "terms", "entry"]
        seen = [value or b"" for value in await self.redis.hmget(record, fields)]
        known = {
            "revised": seen[0].decode(),
            "received_at": int(seen[3].partition(b"-")[0] or b"0"),
            "digest": verdict.digest if verdict is not None else action.digest,
            "seen": seen[1],
            "terms": seen[2],
            "votes": b"[%s]" % delivery.entry.encode(),
            "verdict": verdict,
            "counted": b"{}",
            "approver": "alice",
            "reason": verdict.reason if verdict is not None else "",
            "details": b"{}",
        }
        return await self.ledger.resolve(
            delivery,
            Resolution(**known | made),
            fleet=FLEET,
            agent=action.agent,
            waiters=waiters,
            told="console-1",
        )

    async def expire(self, action: ActionEvent, *, waiters: str = CLIENT) -> Transition:
        verdict = verdict_on(action, Outcome.EXPIRED)
        return await self.ledger.expire(verdict, fleet=FLEET, agent=action.agent, waiters=waiters)

    async def redeem(
        self,
        action: ActionEvent,
        *,
        delivery: Delivery | None = None,
        token: str | None = None,
        client: str = CLIENT,
    ) -> Transition:
        delivery = delivery or await self.asked(action, "redeem", client)
        return await self.ledger.redeem(
            delivery,
            client=client,
            agent=action.agent,
            conversation=action.conversation or "",
            token=token or token_hex(12),
        )

    async def poll(self, action: ActionEvent, *, client: str = CLIENT) -> Transition:
        return await self.ledger.poll(
            await self.asked(action, "poll", client),
            client=client,
            agent=action.agent,
            conversation=action.conversation or "",
        )

    async def listed(self, action: ActionEvent, *, delivery: Delivery | None = None) -> Transition:
        """Tell what is open of its agent, with a listing made up, and with the action as being over."""
        return await self.ledger.listed(
            delivery or await self.asked(action, "pending"),
            client=CLIENT,
            agent=action.agent,
            listing=b"{}",
            over=[action.id],
        )

    async def configure(
        self, policy: bytes = b"new", *, replaces: bytes = b"", delivery: Delivery | None = None
    ) -> Transition:
        return await self.ledger.configure(
            delivery or await self.given(self.keys.answers, POLICIES, id="r1.0"),
            fleet=FLEET,
            replaces=replaces,
            policy=policy,
            version="test@1",
            was="settings",
            approver="alice",
            told="console-1",
        )

    async def refuse(self, delivery: Delivery, *, dead_letter: str = "") -> Transition:
        return await self.ledger.refuse(
            delivery,
            GuardtierError("no", field="payload", limit=1),
            reply=self.keys.reply(FLEET, CLIENT),
            sender=f"{FLEET}/{CLIENT}",
            dead_letter=dead_letter,
        )

    async def bring(self, state: State | None, *, park_ms: int = HOUR_MS) -> ActionEvent:
        """A new action that stands in this state; None: it has no record."""
        action = self.action()
        ended = 0 if state is State.EXPIRED else park_ms
        for step in _WAYS[state]:
            match step:
                case State.ASSESSED:
                    await self.assess(action)
                case State.APPROVED:
                    await self.resolve(action, Outcome.APPROVED)
                case State.REDEEMED:
                    await self.redeem(action)
                case State.EXPIRED:
                    await self.expire(action)
                case _:
                    await self.decide(action, step, park_ms=ended)
        return action

    async def state_of(self, action: ActionEvent) -> str | None:
        found = await self.redis.hget(self.keys.action(action.id), "state")
        return found and found.decode()

    async def events(self, action: ActionEvent) -> list[str]:
        """What the audit stream says of an action, in order."""
        lines = await self.redis.xrange(self.keys.audit)
        return [f[b"event"].decode() for _, f in lines if f[b"id"].decode() == action.id]

    async def replies(self, client: str = CLIENT) -> list[dict[bytes, bytes]]:
        """Everything that a client was told."""
        return [fields for _, fields in await self.redis.xrange(self.keys.reply(FLEET, client))]

    async def pending(self, delivery: Delivery) -> bool:
        found = await self.redis.xpending_range(
            delivery.stream, delivery.group, min=delivery.entry, max=delivery.entry, count=1
        )
        return bool(found)

    async def snapshot(self, action: ActionEvent) -> Snapshot:
        return Snapshot(
            await self.redis.hgetall(self.keys.action(action.id)),
            await self.redis.zrange(self.keys.parked, 0, -1, withscores=True),
            await self.redis.xrange(self.keys.assessed),
            await self.redis.xrange(self.keys.audit),
            await self.redis.xrange(self.keys.dead),
            await self.redis.xrange(self.keys.reply(FLEET, CLIENT)),
            await self.open_ids(action.agent),
            await self.redis.hgetall(self.keys.policies),
        )

    async def open_ids(self, agent: str = "agent-1") -> list[str]:
        """The actions that this agent has not finished."""
        return [name.decode() for name in await self.redis.zrange(self.keys.open(FLEET, agent), 0, -1)]

    async def _read(self, stream: str, group: str) -> list[Delivery]:
        reply = await self.redis.xreadgroup(group, CONSUMER, {stream: ">"})
        found = [
            Delivery(0, stream, group, entry.decode(), fields, fleet=FLEET)
            for _, entries in reply
            for entry, fields in entries
        ]
        self._given.update({(stream, delivery.id): delivery for delivery in found})
        return found


#: The steps to each state.
_PARKED = (State.ASSESSED, State.PARKED)
_WAYS: dict[State | None, tuple[State, ...]] = {
    None: (),
    State.ASSESSED: (State.ASSESSED,),
    State.RELEASED: (State.ASSESSED, State.RELEASED),
    State.REJECTED: (State.ASSESSED, State.REJECTED),
    State.PARKED: _PARKED,
    State.EXPIRED: (*_PARKED, State.EXPIRED),
    State.APPROVED: (*_PARKED, State.APPROVED),
    State.REDEEMED: (*_PARKED, State.APPROVED, State.REDEEMED),
}


def verdict_on(action: ActionEvent, outcome: str) -> Verdict:
    return Verdict(
        id=action.id,
        outcome=Outcome(outcome),
        digest=action.digest,
        risk=SecurityRisk.HIGH,
        policy="test:1",
        decided_at=1,
    )


@asynccontextmanager
async def desk_at(url: str) -> AsyncIterator[Desk]:
    """One on this Redis, until the block ends."""
    async with Redis.from_url(url) as redis:
        desk = Desk(redis, url)
        await desk.open()
        yield desk
        await desk.close()
