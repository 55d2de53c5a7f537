"""Tier: a running tier inside the test's own event loop, and what a test asks of it."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from arq import Worker
from redis.asyncio import Redis

from guardtier import ActionEvent, ApproverClient, Assessment, GuardClient, SecurityRisk
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.settings import Settings
from guardtier.store.connection import connect
from guardtier.store.keys import ANALYZERS, Keys, all_keys
from guardtier.store.records import Record, Records
from guardtier.store.upkeep import Upkeep
from guardtier_workers import approvers
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.approvers import Right
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.policy import PolicyWorker
from guardtier_workers.steward import Deadlines, Steward, arq_worker
from waiting import until

#: The agent's claim alone rates an action, so a test says what it wants rated how.
CLAIM_ALONE: dict[str, Any] = {"analyzers": ("llm",), "fleets": {"web": {}}}

WORKER_SECONDS = 90.0  #: for a worker to be ready, and to end: it drains for 10 s


def low(command: str = "ls", **fields: Any) -> ActionEvent:
    """An action that is released."""
    return _action(command, SecurityRisk.LOW, fields)


def high(command: str = "rm -rf ~/.ssh", **fields: Any) -> ActionEvent:
    """An action that is parked."""
    return _action(command, SecurityRisk.HIGH, fields)


def unknown(command: str = "./a.out", **fields: Any) -> ActionEvent:
    """An action that nobody can rate."""
    return _action(command, SecurityRisk.UNKNOWN, fields)


def _action(command: str, claim: SecurityRisk, fields: dict[str, Any]) -> ActionEvent:
    known = {"fleet": "web", "agent": "agent-1", "tool_name": "terminal", "security_risk": claim}
    return ActionEvent(**{"arguments": {"command": command}} | known | fields)


def submitted(action: ActionEvent, client: str = "raw-1") -> dict[str, Any]:
    """The entry by which a client submits an action."""
    return {"op": "submit", "id": action.id, "client": client, "payload": action.to_json()}


class Gate(SecurityAnalyzer):
    """Lets nothing through until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        self.entered += 1
        await self.open.wait()
        return Assessment(risk=SecurityRisk.LOW)


def only(analyzer: SecurityAnalyzer) -> EnsembleSecurityAnalyzer:
    """An ensemble of this one, for :meth:`Tier.analyzer`'s ``analyzers``."""
    return EnsembleSecurityAnalyzer([analyzer], time_limit=60)


class Running:
    """One worker at work."""

    def __init__(self, worker: StreamWorker) -> None:
        self.worker = worker
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(worker.run(self._stop))

    async def ready(self) -> Self:
        waiting = asyncio.create_task(self.worker.ready.wait())
        done, _ = await asyncio.wait(
            {waiting, self.task}, timeout=WORKER_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        assert done, f"{self.worker.name} was not ready within {WORKER_SECONDS:g} s"
        if self.task.done():
            self.task.result()
        return self

    async def stop(self) -> None:
        """End it as SIGTERM would. Raises what ended it before."""
        self._stop.set()
        done, _ = await asyncio.wait({self.task}, timeout=WORKER_SECONDS)
        assert done, f"{self.worker.name} did not end within {WORKER_SECONDS:g} s: {self.task.get_stack()}"
        self.task.result()


class Tier:
    """Workers with the given settings, from :meth:`__aenter__` on; everything is closed at the end."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self._approvers_file = folder / "approvers.toml"
        self.settings = Settings.load(
            redis_url=url, approvers_file=self._approvers_file, **CLAIM_ALONE | settings
        )
        self.redis: Any = connect(url)
        self.records = Records(self.redis, self.settings.partitions)
        self.upkeep = Upkeep(self.redis, self.settings.partitions)
        self._tokens: dict[str, str] = {}
        self._open = AsyncExitStack()
        self._queues = AsyncExitStack()  # closed behind the workers, which put jobs there
        self.workers: list[Running] = []

    @property
    def url(self) -> str:
        return self.settings.redis_url

    @property
    def worker_env(self) -> dict[str, str]:
        """The settings that a worker in a process of its own needs to be of this tier."""
        return {
            "GUARDTIER_ANALYZERS": json.dumps(self.settings.analyzers),
            "GUARDTIER_ANALYZER": json.dumps(
                {name: one.model_dump(exclude_none=True) for name, one in self.settings.analyzer.items()}
            ),
            "GUARDTIER_FLEETS": json.dumps({fleet: {} for fleet in self.settings.fleets}),
            "GUARDTIER_APPROVERS_FILE": str(self._approvers_file),
        }

    async def __aenter__(self) -> Self:
        self._approvers_file.touch()
        return self

    async def __aexit__(self, *_: object) -> None:
        async with AsyncExitStack() as last:  # each of these, whatever the one before it raises
            last.push_async_callback(self.redis.aclose)
            last.push_async_callback(self._queues.aclose)
            last.push_async_callback(self._stop_workers)
            last.push_async_callback(self._open.aclose)

    async def _stop_workers(self) -> None:
        await asyncio.gather(*(running.stop() for running in self.workers))

    async def run(self, worker: StreamWorker) -> Running:
        """Start a worker and return once it is ready. It is stopped at the end."""
        running = Running(worker)
        self.workers.append(running)
        return await running.ready()

    async def analyzer(self, **made: Any) -> Running:
        return await self.run(AnalyzerWorker(self.settings, **made))

    async def policy(self, **made: Any) -> Running:
        return await self.run(PolicyWorker(self.settings, **made))

    def deadlines(self) -> Deadlines:
        """What queues the jobs of deadlines, for :meth:`policy`'s ``schedule``."""
        made = Deadlines(self.settings)
        self._queues.push_async_callback(made.close)
        return made

    def steward(self) -> Steward:
        made = Steward(self.settings)
        self._open.push_async_callback(made.close)
        return made

    async def arq(self, *, cron: bool) -> None:
        """Run the steward's jobs, with or without those that come by themselves."""
        worker = arq_worker(self.settings, self.steward())
        if not cron:
            worker.cron_jobs = []
        await self.run_arq(worker)

    async def run_arq(self, worker: Worker) -> None:
        """Start an arq worker. It is stopped at the end."""
        task = asyncio.create_task(worker.async_run())

        async def end() -> None:
            # arq's close() raises the CancelledError of a job that it cancels, and closes nothing then
            await until(lambda: all(job.done() for job in worker.tasks.values()))
            with warnings.catch_warnings():
                # arq closes its pool by a name that redis-py 5 calls deprecated
                warnings.filterwarnings("ignore", "Call to deprecated close", DeprecationWarning)
                await worker.close()
            await asyncio.gather(task, return_exceptions=True)

        self._open.push_async_callback(end)

    def client(self, fleet: str = "web", **options: Any) -> GuardClient:
        """An agent's client. It is closed at the end."""
        made = GuardClient(
            self.settings.redis_url, fleet=fleet, partitions=self.settings.partitions, **options
        )
        self._open.push_async_callback(made.aclose)
        return made

    def approver(
        self,
        name: str = "alice",
        fleets: list[str] | None = None,
        may: Iterable[Right] = (Right.ANSWER,),
        **who: Any,
    ) -> ApproverClient:
        """Somebody who may answer, by default. Closed at the end. ``who``: principal, roles, agents."""
        if name not in self._tokens:
            self._tokens[name] = approvers.add(self._approvers_file, name, fleets, may, **who)
        return self._approver(name, self._tokens[name])

    def operator(self, name: str = "olga", fleets: list[str] | None = None) -> ApproverClient:
        """Somebody who may also set policies. It is closed at the end."""
        return self.approver(name, fleets, OPERATES)

    def impostor(self, name: str = "alice") -> ApproverClient:
        """Somebody who knows an approver's name and has made up the token."""
        return self._approver(name, "made-up")

    def _approver(self, name: str, token: str) -> ApproverClient:
        made = ApproverClient(
            self.settings.redis_url,
            approver=name,
            token=token,
            partitions=self.settings.partitions,
        )
        self._open.push_async_callback(made.aclose)
        return made

    def fire(self, name: str) -> None:
        """Take somebody out of the approvers file."""
        blocks = self._approvers_file.read_text().split("\n\n")
        kept = [block for block in blocks if f'name = "{name}"\n' not in block]
        self._approvers_file.write_text("\n\n".join(kept))

    def forget(self, name: str) -> None:
        """Take an approver out of the file."""
        blocks = self._approvers_file.read_text().split("[[approver]]")
        kept = [block for block in blocks if f'name = "{name}"' not in block]
        self._approvers_file.write_text("[[approver]]".join(kept))

    def token_of(self, name: str) -> str:
        return self._tokens[name]

    async def record(self, action_id: str) -> Record:
        return await self.records.get(action_id)

    async def parked(self, count: int = 1) -> list[Record]:
        """Wait until so many actions are parked; the nearest deadline first."""

        async def found() -> list[Record] | None:
            records = await self.records.pending(limit=count)
            return records if len(records) == count else None

        waiting: list[Record] = await until(found)
        return waiting

    async def audit(self, action_id: str | None = None) -> list[dict[str, str]]:
        """The audit stream, in order, each line with its ``entry``; of one action where named."""
        return [
            line
            for keys in all_keys(self.settings.partitions)
            for line in await audit_lines(self.redis, keys)
            if action_id is None or line["id"] == action_id
        ]

    async def keep_entries(self, stream: str) -> None:
        """What comes by this stream stays there from now on, also once it is done with."""
        await self.redis.xgroup_create(stream, "tests", id="$", mkstream=True)

    async def events(self, action_id: str) -> list[str]:
        return [line["event"] for line in await self.audit(action_id)]

    async def hold(
        self, consumer: str, action: ActionEvent, *, deliveries: int = 1, idle_ms: int = 60_000
    ) -> str:
        """Submit as ``raw-1``, and hand the entry to this consumer, so often and so long ago."""
        stream = Keys(0).actions(action.fleet)
        entry = await self.redis.xadd(stream, submitted(action))
        await self.redis.xreadgroup(ANALYZERS, consumer, {stream: ">"})
        await self.redis.xclaim(
            stream, ANALYZERS, consumer, 0, [entry], idle=idle_ms, retrycount=deliveries, justid=True
        )
        return entry.decode()

    async def holders(self, fleet: str = "web") -> dict[str, str]:
        """Which analyzer worker holds which entry of a fleet."""
        found = await self.redis.xpending_range(
            Keys(0).actions(fleet), ANALYZERS, min="-", max="+", count=1000
        )
        return {item["message_id"].decode(): item["consumer"].decode() for item in found}

    async def is_idle(self) -> bool:
        return await is_idle(self.redis, self.upkeep)

    async def idle(self) -> None:
        """Wait until the workers have finished everything that was sent."""
        await until(self.is_idle)


#: The fixture ``start_tier``: ``await start_tier(analyzers=2, park_seconds=1)``.
StartTier = Callable[..., Awaitable[Tier]]


async def audit_lines(redis: Redis, keys: Keys) -> list[dict[str, str]]:
    """The lines, each with its ``entry``, but without what chains them (n and h)."""
    return [
        {"entry": entry.decode()}
        | {k.decode(): v.decode(errors="replace") for k, v in line.items() if k not in (b"n", b"h")}
        for entry, line in await redis.xrange(keys.audit)
    ]


async def is_idle(redis: Redis, upkeep: Upkeep) -> bool:
    """Whether no work stream holds anything pending or unread."""
    for stream, group in await upkeep.work_streams():
        newest = (await redis.xinfo_stream(stream))["last-generated-id"]
        for info in await redis.xinfo_groups(stream):
            if info["name"].decode() == group and (info["pending"] or info["last-delivered-id"] != newest):
                return False
    return True
