"""Console: what every page and endpoint of one console process shares."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from guardtier import ApproverClient
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, connect
from guardtier.store.records import Records
from guardtier_workers.console.access.door import Door, make_door
from guardtier_workers.console.access.sessions import Sessions
from guardtier_workers.console.answering.reasons import Reasons
from guardtier_workers.console.board.board import Board
from guardtier_workers.console.ops.ops import Ops
from guardtier_workers.console.rules.examiner import Examiner
from guardtier_workers.console.story.stories import Stories

PREVIEWS = 2  #: of many answers, made at a time for all visitors: each reads up to 20 MiB


@dataclass(frozen=True, slots=True)
class Console:
    """``redis`` and ``records`` read with the console's credential, every fleet: show nothing of it that
    the visitor's ``sees(fleet)`` does not cover. ``tier`` signs nothing; ``tier.acting(signer)`` does.
    """

    settings: Settings
    redis: AnyRedis
    records: Records
    tier: ApproverClient
    board: Board
    sessions: Sessions
    ops: Ops
    examiner: Examiner
    stories: Stories
    door: Door
    reasons: Reasons = field(default_factory=Reasons)
    previews: Semaphore = field(default_factory=lambda: Semaphore(PREVIEWS))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Console]:
    """Connect, and follow what is parked, until the block ends."""
    own = settings.console.redis_url
    url = own.get_secret_value() if own else settings.redis_url
    async with AsyncExitStack() as parts:
        tier = await parts.enter_async_context(ApproverClient(url, partitions=settings.partitions))
        redis = connect(url)
        parts.push_async_callback(redis.aclose)
        board = Board(url, redis, settings.partitions)
        await parts.enter_async_context(board.followed())
        sessions = Sessions(lasting=settings.console.session_seconds, idle=settings.console.idle_seconds)
        ops = Ops(url, redis, settings, board)
        await parts.enter_async_context(ops.followed())
        records = Records(redis, settings.partitions)
        stories = Stories(redis, records, settings.partitions)
        await parts.enter_async_context(stories.followed())
        yield Console(
            settings=settings,
            redis=redis,
            records=records,
            tier=tier,
            board=board,
            sessions=sessions,
            ops=ops,
            examiner=Examiner(settings),
            stories=stories,
            door=make_door(settings),
        )


def console_of(connection: HTTPConnection) -> Console:
    """The console that serves a request."""
    found: Console = connection.app.state.console
    return found
