"""Desk: where ``guardtier review`` finds what this approver may answer, and sends what they say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from guardtier.approver import ApproverClient
from guardtier.approver_answers import Draft
from guardtier.errors import NotAuthorized
from guardtier.policy.edit import Revised
from guardtier.policy.tally import Counted
from guardtier.risk import SecurityRisk
from guardtier.store.records import Record
from guardtier.verdict import Verdict
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.console.answering.before import Before, before

Came = TypeVar("Came")


@dataclass(frozen=True, slots=True)
class Found:
    """An action as it stands, and what this approver's answer would do to it."""

    record: Record
    before: Before

    @property
    def is_open(self) -> bool:
        """Whether they have anything to say about it that they have not said."""
        return self.before.own is None and (self.before.approve.can or self.before.reject.can)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be answered next, if anything. ``others``: so many wait and are none of theirs to answer,
    are answered by them, or were put aside.
    """

    found: Found | None
    others: int


@dataclass(slots=True)
class Desk:
    """Which tier is asked, as whom, and which of the actions that wait are looked at.

    Each step has a connection of its own, however long somebody thinks between two of them: after a night's
    sleep, or a restart of Redis, the next one finds what stands then.
    """

    redis_url: str | None
    config: Path | None
    name: str | None
    token_file: Path | None
    timeout: float
    fleet: str | None = None
    agent: str | None = None
    risk: tuple[SecurityRisk, ...] = ()
    aside: set[tuple[str, str]] = field(default_factory=set)  #: ids and digests: what is edited comes again

    def next(self) -> Turn:
        """What they may answer, the nearest deadline first. Raises NotAuthorized where they may nothing."""
        return self._do(self._next)

    def look(self, action_id: str) -> Found:
        """One action as it stands now. Raises UnknownAction."""

        async def step(approver: ApproverClient) -> Found:
            me = await approver.me(timeout=self.timeout)
            record = await approver.get(action_id, timeout=self.timeout)
            return Found(record, before(record, me))

        return self._do(step)

    def answer(self, draft: Draft) -> Verdict | Counted:
        return self._do(lambda approver: approver.answer(draft, timeout=self.timeout))

    def edit(self, record: Record, arguments: dict[str, Any], reason: str) -> Verdict | Revised:
        """Sent for the action that was shown, and for no other that may be parked by now."""

        def step(approver: ApproverClient) -> Awaitable[Verdict | Revised]:
            return approver.edit(
                record.id, arguments, digest=record.digest, reason=reason, timeout=self.timeout
            )

        return self._do(step)

    async def _next(self, approver: ApproverClient) -> Turn:
        me = await approver.me(timeout=self.timeout)
        if "answer" not in me.may:
            raise NotAuthorized(f"{me.name} may look, and answer nothing", field="approver")
        others = 0
        waiting = approver.parked(fleet=self.fleet, agent=self.agent, risk=self.risk, timeout=self.timeout)
        async with aclosing(waiting) as records:
            async for record in records:
                found = Found(record, before(record, me))
                if found.is_open and (record.id, record.digest) not in self.aside:
                    return Turn(found, others)
                others += 1
        return Turn(None, others)

    def _do(self, step: Callable[[ApproverClient], Awaitable[Came]]) -> Came:
        async def run() -> Came:
            async with (
                tier_at(self.redis_url, self.config) as tier,
                tier.approver(self.name, self.token_file) as approver,
            ):
                return await step(approver)

        return asyncio.run(run())
