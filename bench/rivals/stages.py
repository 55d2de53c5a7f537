"""The two stages that every rival runs, and the way an answer comes back to the waiting agent.

arq polls for a job's result, SAQ and streaq listen by pub/sub and then fetch it, each agent on its
own. We spare them that: the policy job itself puts the verdict on a stream, and one reader of the
client wakes the agent. It is the fastest of the ways that we tried, for all three, and the verdict
is out before the library has even done its book-keeping on the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from redis.asyncio import Redis

from bench.rivals.harness import Action, Ask
from bench.spin import spin

REPLIES = "bench:replies"

Submit = Callable[[str, Action], Awaitable[object]]  #: puts an action, under an id, in the queue


def analyze(action: Action, spin_us: float) -> str:
    """The analysis: as long on all sides."""
    spin(spin_us)
    return "LOW"


def decide(risk: str) -> str:
    """The policy: a decision that costs nothing."""
    return "released" if risk == "LOW" else "parked"


@asynccontextmanager
async def answered_by_stream(url: str, submit: Submit) -> AsyncIterator[Ask]:
    """Ask by ``submit``, and wait for the verdict on the reply stream."""
    waiting: dict[str, asyncio.Future[None]] = {}
    numbers = count()

    async def ask(action: Action) -> None:
        request = str(next(numbers))
        answer = waiting[request] = asyncio.get_running_loop().create_future()
        await submit(request, action)
        await answer

    async with Redis.from_url(url) as redis:
        reader = asyncio.create_task(_read(redis, waiting))
        try:
            yield ask
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _read(redis: Redis, waiting: dict[str, asyncio.Future[None]]) -> None:
    last = b"0"
    while True:
        for _, entries in await redis.xread({REPLIES: last}, count=512, block=1000):
            for last, fields in entries:  # noqa: B007 - where the next read goes on
                if fields[b"outcome"] != b"released":
                    raise ValueError(f"the bench's actions are all released, not {fields}")
                waiting.pop(fields[b"request"].decode()).set_result(None)
