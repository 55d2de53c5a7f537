"""Scenario: one fault with load running. Place: the Redis, the worker processes and the folder of one.

A scenario is a function that is given a folder and returns what came of it; modules list theirs, and
``__main__.py`` lists the modules.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from chaos.checker import Report, check
from chaos.credentials import FLEETS, NONE, Keys, as_role, role_of, roles_hold
from chaos.load import POLICY, Load
from chaos.reading import Written, read
from guardtier import ApproverClient
from guardtier.store.connection import connect
from guardtier.store.upkeep import Upkeep
from guardtier_workers import approvers
from guardtier_workers.cli.state import OPERATES
from ports import free_port
from processes import Processes, until_alive
from tier import is_idle
from waiting import until

PEOPLE = ("alice", "bob", "carol")
OPERATOR = "olga"  #: who halts, resumes and sets policies, and answers nothing
#: As little patience as the settings allow, so that the dead are replaced soon. An agent's claim alone
#: rates an action, so that every action's way is known before.
ENV = {
    "GUARDTIER_ANALYZERS": '["llm"]',
    "GUARDTIER_ANALYZER_SECONDS": "1",
    "GUARDTIER_CLAIM_SECONDS": "2",
    "GUARDTIER_FLEETS": json.dumps({fleet: {} for fleet in FLEETS}),
    "GUARDTIER_SHARE": "8",
}


SIGN = ("policy", "steward")  #: the workers that have the signing keys


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario: one row of the table. ``notes`` are measured, and short."""

    report: Report
    stall: float
    notes: str = ""


Run = Callable[[Path], Awaitable[Outcome]]


class Skipped(Exception):
    """A fault can't be made here; the text says what it lacks."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault by its name, and what runs it. ``run`` raises AssertionError where it did not happen."""

    name: str
    run: Run
    seconds: int = 60  #: about how long it takes


@dataclass
class Place:
    """``async with Place(server.url, folder) as place: await place.workers(); async with place.load() …``.

    It is as a deployment: each process has its role in Redis (where that is new enough), verdicts are
    signed, and agents believe no others. ``partitions`` and ``arq_url`` are the settings of these names;
    ``signing``: whether a worker that starts is given the keys; ``env`` is for every worker.
    """

    url: str
    folder: Path
    partitions: int = 1
    arq_url: str | None = None
    signing: bool = True
    env: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.processes = Processes(self.folder / "workers.log")
        people = self.folder / "approvers.toml"
        self.tokens = {name: approvers.add(people, name) for name in PEOPLE}
        self._operator = approvers.add(people, OPERATOR, None, OPERATES)
        self.keys = Keys(self.folder)
        policy = self.folder / "policy.toml"
        policy.write_text(POLICY, encoding="utf-8")
        files = {"GUARDTIER_APPROVERS_FILE": str(people), "GUARDTIER_POLICY_FILE": str(policy)}
        partitions = {"GUARDTIER_PARTITIONS": str(self.partitions)}
        self.env = ENV | files | partitions | self.env
        self._parts = AsyncExitStack()
        self._parts.callback(self.processes.end)
        self.redis = connect(self.url)
        self._parts.push_async_callback(self.redis.aclose)
        await Upkeep(self.redis, self.partitions).prepare(FLEETS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def start(self, kind: str, *, url: str | None = None, **env: str) -> psutil.Popen:
        """Start a worker (``analyzer``, ``policy``, ``steward``, ``pool NAME``, ``console``). Analyzers,
        policy workers and stewards are alive when this returns. ``url``: where it finds Redis, if
        elsewhere.
        """
        if kind == "steward":
            return await self._steward(url, env)
        process = self.begin(kind, url=url, **env)
        if kind in ("analyzer", "policy"):
            await until_alive(self.redis, process, partitions=self.partitions)
        return process

    async def _steward(self, url: str | None, env: dict[str, str]) -> psutil.Popen:
        port = str(free_port())
        process = self.begin("steward", "--health-port", port, url=url, **env)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

            async def lives() -> bool:
                with suppress(httpx.TransportError):
                    return (await http.get("/healthz")).is_success
                return False

            await until(lives, 60.0)
        return process

    def begin(self, kind: str, *options: str, url: str | None = None, **env: str) -> psutil.Popen:
        """Start a worker without waiting for it. ``options``: of its command line."""
        role = role_of(kind)
        own = {"GUARDTIER_ARQ_URL": as_role(self.arq_url, role)} if self.arq_url else {}
        if self.signing and role in SIGN:
            own["GUARDTIER_SIGNING_KEY_FILE"] = str(self.keys.signing)
        given = own | self.env | env
        level = ("--log-level", "warning", *options)
        return self.processes.worker(kind, as_role(url or self.url, role), *level, **given)

    async def workers(
        self, *, analyzers: int = 1, policies: int = 1, stewards: int = 1, url: str | None = None
    ) -> dict[str, list[psutil.Popen]]:
        """The workers of a tier, by their kind."""
        counts = {"analyzer": analyzers, "policy": policies, "steward": stewards}
        started = {kind: [self.begin(kind, url=url) for _ in range(n)] for kind, n in counts.items()}
        for process in (*started["analyzer"], *started["policy"]):
            await until_alive(self.redis, process, partitions=self.partitions)
        return started

    def load(self, *, url: str | None = None, **options: Any) -> Load:
        """Agents and people on this tier. ``url``: where they find Redis, if elsewhere."""
        given = {"approvers": self.tokens, "partitions": self.partitions, "verdict_keys": self.keys.public}
        return Load(url or self.url, **given | options)

    def operator(self) -> ApproverClient:
        """Who halts, resumes and sets policies."""
        return ApproverClient(
            as_role(self.url, "operator"),
            approver=OPERATOR,
            token=self._operator,
            partitions=self.partitions,
        )

    async def written(self) -> Written:
        """All that the tier wrote down, by which it is judged."""
        written = await read(self.redis, self.partitions)
        written.keys = dict(self.keys.known)
        return written

    async def idle(self, within: float = 60.0) -> None:
        """Wait until the workers have finished everything that was sent."""
        upkeep = Upkeep(self.redis, self.partitions)
        await until(lambda: is_idle(self.redis, upkeep), within)

    async def outcome(self, load: Load, notes: str = "", **allowed: Any) -> Outcome:
        """Check everything that the load saw. The load has ended; ``allowed`` goes to the checker."""
        await self.idle()
        written = await self.written()
        load.history.write(self.folder / "history.jsonl")
        said = [notes] if notes else []
        said += [] if roles_hold() else [NONE]
        return Outcome(check(written, load.history, **allowed), load.longest_stall, "; ".join(said))
