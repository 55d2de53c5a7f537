"""Stories: everything that the console knows of what has happened, and how it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from guardtier.errors import UnknownAction, UnreadableRecord
from guardtier.look import Me
from guardtier.store.connection import AnyRedis
from guardtier.store.records import Records
from guardtier_workers.clock import now_ms
from guardtier_workers.console.opened import opened
from guardtier_workers.console.story.audit import Audit, AuditPage, AuditQuery
from guardtier_workers.console.story.away import reading
from guardtier_workers.console.story.conversation import Conversation, Conversations
from guardtier_workers.console.story.figures import Figures, FiguresQuery, figures_of
from guardtier_workers.console.story.following import Following
from guardtier_workers.console.story.history import History, HistoryPage, HistoryQuery
from guardtier_workers.console.story.timeline import Story, Timeline, unknown
from guardtier_workers.console.story.walk import MOST_LINES

BESIDE = 9  #: actions of a conversation that are shown beside one of them, itself included
AT_A_TIME = 4  #: of all visitors; the others wait their turn


class Stories:
    """Each question is bounded. Raises TierUnavailable where Redis is away, or refuses to be read."""

    def __init__(self, redis: AnyRedis, records: Records, partitions: int) -> None:
        self._history = History(redis, records, partitions)
        self._conversations = Conversations(redis, records, partitions)
        self._audit = Audit(redis, partitions)
        self._records = records
        self._following = Following(redis, partitions)
        self._timeline = Timeline(redis, records, partitions, self._following.index)
        self._turn = asyncio.Semaphore(AT_A_TIME)

    def followed(self) -> AbstractAsyncContextManager[None]:
        """Keep the figures up to date until the block ends."""
        return self._following.followed()

    def fleets(self, me: Me) -> list[str]:
        """Those of which something was decided lately, and that an approver sees."""
        return sorted(fleet for fleet in self._following.tally.fleets if me.sees(fleet))

    async def history(self, query: HistoryQuery, me: Me) -> HistoryPage:
        async with self._asking("the audit stream"):
            return await self._history.page(query, me)

    async def timeline(self, action_id: str, me: Me, *, cursor: str = "", most: int = MOST_LINES) -> Story:
        async with self._asking("the audit stream"):
            if self._following.ready:
                await self._following.catch_up()
            return await self._timeline.of(action_id, me, cursor=cursor, most=most)

    async def conversation(self, fleet: str, conversation: str, me: Me, *, most: int = 64) -> Conversation:
        async with self._asking("the histories of conversations"):
            return await self._conversations.of(fleet, conversation, me, most=most)

    async def beside(self, action_id: str, me: Me) -> Conversation | None:
        """The conversation of an action; None where it names none, or nothing is remembered of it.

        Raises UnknownAction for an action that is not there, or not theirs.
        """
        async with self._asking("the histories of conversations"):
            try:
                record = await opened(await self._records.get(action_id))
            except UnreadableRecord:
                if me.sees("*"):
                    raise
                raise unknown(action_id) from None  # whose it is can't be told
            if not me.sees(record.fleet):
                raise unknown(action_id)
            name = record.action.conversation if record.is_readable else None
            try:
                return await self._conversations.of(record.fleet, name, me, most=BESIDE) if name else None
            except UnknownAction:
                return None

    async def audit(self, query: AuditQuery, me: Me) -> AuditPage:
        async with self._asking("the audit stream"):
            return await self._audit.page(query, me)

    async def figures(self, query: FiguresQuery, me: Me) -> Figures:
        """What can't be counted at the moment, the figures say."""
        if self._following.ready:  # else it is at it, and takes its time
            await self._following.catch_up()
        return figures_of(self._following, query, me, now=now_ms())

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        async with self._turn:
            with reading(what):
                yield
