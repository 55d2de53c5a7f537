"""ByHand: a tier whose workers take one delivery at a time, when the test says so, and may die over it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from time import time
from typing import Any

from redis.asyncio import Redis

from guardtier import ActionEvent
from guardtier.answer import Answer, Choice, key_of
from guardtier.settings import Settings
from guardtier.store.delivery import Delivery
from guardtier.store.keys import Keys
from guardtier.store.ledger import Ledger, Retention
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Record, Records
from guardtier_workers import approvers
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.lane import Lane
from guardtier_workers.policy import PolicyWorker
from guardtier_workers.steward import Steward
from tier import CLAIM_ALONE, audit_lines, submitted

KEYS = Keys(0)
CONSUMER = "by-hand"


class Dies(StrEnum):
    """When a worker dies over a delivery: never, or on either side of its first or second script."""

    NEVER = "never"
    BEFORE_1 = "before the first script"
    AFTER_1 = "after the first script"
    BEFORE_2 = "before the second script"
    AFTER_2 = "after the second script"

    @property
    def at(self) -> int:
        return {"NEVER": 0, "BEFORE_1": 1, "AFTER_1": 1, "BEFORE_2": 2, "AFTER_2": 2}[self.name]

    @property
    def is_after(self) -> bool:
        return self.name.startswith("AFTER")


class Died(Exception):
    """The worker died here."""


class MortalPipe(CommandPipe):
    """A pipe whose worker dies at its n-th script: before Redis has it, or after Redis has done it."""

    dies = Dies.NEVER
    _sent = 0

    def live(self, dies: Dies) -> None:
        """A new life, with an end to it or not."""
        self.dies, self._sent = dies, 0

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        self._sent += 1
        if self._sent == self.dies.at and not self.dies.is_after:
            raise Died
        reply = await super().script(name, keys, args)
        if self._sent == self.dies.at:
            raise Died
        return reply


class ByHand:
    """One partition, one worker of each kind, no loops. What died over a delivery has it pending still."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self._approvers_file = folder / "approvers.toml"
        self._approvers_file.touch()
        self.settings = Settings.load(
            redis_url=url, approvers_file=self._approvers_file, **CLAIM_ALONE | settings
        )
        self.redis: Redis = Redis.from_url(url)
        self.records = Records(self.redis, 1)
        self._tokens: dict[str, str] = {}
        self.analyzer = AnalyzerWorker(self.settings, name=CONSUMER)
        self.policy = PolicyWorker(self.settings, name=CONSUMER)
        self.steward = Steward(self.settings)
        self._pipe = MortalPipe(self.redis, insist=False)
        self._steward_pipe = MortalPipe(self.redis, insist=False)

    async def open(self) -> None:
        await self.analyzer.prepare()
        for worker in (self.analyzer, self.policy):
            (lane,) = worker.lanes = [worker._lane(0)]
            lane.pipe = self._pipe
            lane.ledger = Ledger(self._pipe, KEYS, Retention())
        self.steward._ledgers = [Ledger(self._steward_pipe, KEYS, Retention())]

    async def close(self) -> None:
        for worker in (self.analyzer, self.policy):
            for lane in worker.lanes:
                await lane.close()
            await worker._redis.aclose()
        await self.policy._remembered.close()
        await self.analyzer.ensemble.aclose()
        await self.steward.close()
        await self._steward_pipe.close()
        await self.redis.aclose()

    def approver(self, name: str, **known: Any) -> None:
        """Make somebody an approver."""
        self._tokens[name] = approvers.add(self._approvers_file, name, may=OPERATES, **known)

    async def submit(self, action: ActionEvent, client: str = "client-1", **envelope: Any) -> None:
        await self.redis.xadd(KEYS.actions(action.fleet), submitted(action, client) | envelope)

    async def redeem(self, action: ActionEvent, token: str, client: str = "client-1") -> None:
        fields = {"op": "redeem", "id": action.id, "client": client, "token": token, "agent": action.agent}
        await self.redis.xadd(KEYS.actions(action.fleet), fields)

    async def answer(self, action_id: str, digest: str, name: str, choice: Choice, **more: Any) -> None:
        said = Answer(
            **{"id": action_id, "client": "console-1", "approver": name, "choice": choice}
            | {"digest": digest, "at": int(time() * 1000)}
            | more
        )
        await self.send(said.to_fields(said.proof(self.key_of(name))))

    async def send(self, entry: dict[str, Any]) -> None:
        """Add an entry to the answers stream."""
        await self.redis.xadd(KEYS.answers, entry)

    def key_of(self, name: str) -> bytes:
        return key_of(self._tokens[name])

    async def work(self, worker: StreamWorker, *, dies: Dies = Dies.NEVER, last: bool = False) -> bool:
        """Take one delivery, the oldest or the newest, and handle it; False where there is none."""
        (lane,) = worker.lanes
        waiting = await self._waiting(worker, lane)
        if not waiting:
            return False
        self._pipe.live(dies)
        try:
            await worker.handle(lane, waiting[-1 if last else 0])
        except Died:
            pass
        finally:
            self._pipe.live(Dies.NEVER)
        return True

    async def expire(self, *, dies: Dies = Dies.NEVER) -> None:
        """The steward's look at what is due."""
        self._steward_pipe.live(dies)
        try:
            await self.steward.expire_due(0)
        except Died:
            pass
        finally:
            self._steward_pipe.live(Dies.NEVER)

    async def let_time_pass(self) -> None:
        """Every parked action's deadline comes: it is put before now."""
        for name, deadline in await self.redis.zrange(KEYS.parked, 0, -1, withscores=True):
            if deadline > time() * 1000:
                past = int(time() * 1000) - 1000
                await self.redis.zadd(KEYS.parked, {name: past})
                await self.redis.hset(KEYS.action(name.decode()), "deadline", past)

    async def finish(self) -> None:
        """The workers do all that waits."""
        while True:
            done = [await self.work(worker) for worker in (self.analyzer, self.policy)]
            if not any(done):
                return

    async def record(self, action_id: str) -> Record:
        return await self.records.get(action_id)

    async def audit(self) -> list[dict[str, str]]:
        return await audit_lines(self.redis, KEYS)

    async def events(self) -> list[str]:
        return [line["event"] for line in await self.audit()]

    async def told(self, fleet: str, client: str = "client-1") -> list[dict[str, str]]:
        """Everything that a client was told."""
        entries = await self.redis.xrange(KEYS.reply(fleet, client))
        return [{k.decode(): v.decode() for k, v in fields.items()} for _, fields in entries]

    async def _waiting(self, worker: StreamWorker, lane: Lane) -> list[Delivery]:
        lane.reading.streams = await worker.streams(0)
        await self._read(lane, ">")
        return await self._read(lane, "0")

    async def _read(self, lane: Lane, start: str) -> list[Delivery]:
        reply = await self.redis.xreadgroup(
            lane.group, CONSUMER, dict.fromkeys(lane.reading.streams, start), count=10_000
        )
        return sorted(
            (
                lane.reading.delivery(stream.decode(), entry, fields)
                for stream, entries in reply
                for entry, fields in entries
                if fields
            ),
            key=lambda delivery: tuple(map(int, delivery.entry.split("-"))),
        )
