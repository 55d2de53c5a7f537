"""Approvers: two scripted people, who take a moment over each action and then say what the script has."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from guardtier.approver import ApproverClient
from guardtier.errors import WrongState
from guardtier_workers.demo.script import Reaction
from guardtier_workers.demo.stage import Stage

THINKING_SECONDS = 0.7  #: over an action


class Approvers:
    """The first answers everything; the second joins in where it takes two."""

    def __init__(
        self, people: Sequence[ApproverClient], reactions: dict[str, Reaction], stage: Stage
    ) -> None:
        self._people = people
        self._reactions = reactions
        self._stage = stage
        self._answering: set[asyncio.Task[None]] = set()

    async def answer_all(self) -> None:
        """Answer what is parked, until cancelled."""
        first = self._people[0]
        try:
            async for event in first.watch():
                reaction = self._reactions.get(event.id.partition(".")[0])
                if event.event != "parked" or reaction is None:
                    continue
                record = await first.get(event.id)
                self._stage.park(record.action, record.deadline or 0)
                if reaction.do != "leave":
                    self._start(self._answer(event.id, record.digest, reaction))
        finally:
            for task in self._answering:
                task.cancel()

    def _start(self, answer: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(answer)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, action_id: str, digest: str, reaction: Reaction) -> None:
        try:
            for person in self._people[: reaction.people]:
                await asyncio.sleep(THINKING_SECONDS)
                await _say(person, action_id, digest, reaction)
        except WrongState:
            pass  # its deadline came first


async def _say(person: ApproverClient, action_id: str, digest: str, reaction: Reaction) -> None:
    if reaction.do == "reject":
        await person.reject(action_id, digest=digest, reason=reaction.reason)
    elif reaction.do == "edit":
        await person.edit(action_id, reaction.arguments, digest=digest, reason=reaction.reason)
    else:
        await person.approve(action_id, digest=digest, reason=reaction.reason, remember=reaction.remember)
