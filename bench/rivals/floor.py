"""The floor: what two processes need to ask and answer over two streams, with nothing in between.

No queue on Redis Streams can be faster than this with one agent, so guardtier's latency is told
as a multiple of it. Runs in guardtier's own environment: the same client library, parser and loop.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from bench.rivals.harness import Action, Ask, Contestant, Options, main

ASKED, ANSWERED = "bench:asked", "bench:answered"
ANSWER = json.dumps({"outcome": "released", "reason": "the floor asks nobody"})


@asynccontextmanager
async def client(options: Options) -> AsyncIterator[Ask]:
    """One agent: it sends, then it is blocked until the answer is there."""
    if options.agents != 1:
        raise SystemExit("the floor is a ping-pong of one agent: --agents 1")
    last = b"0"

    async with Redis.from_url(options.redis_url) as redis:

        async def ask(action: Action) -> None:
            nonlocal last
            await redis.xadd(ASKED, {"action": json.dumps(action)})
            [[_, [(last, _)]]] = await redis.xread({ANSWERED: last}, block=0)

        yield ask


async def peer(options: Options) -> None:
    """The other process: blocked until it is asked, answers at once."""
    last = b"0"
    async with Redis.from_url(options.redis_url) as redis:
        while True:
            [[_, entries]] = await redis.xread({ASKED: last}, block=0)
            last = entries[-1][0]
            await redis.xadd(ANSWERED, {"verdict": ANSWER})


FLOOR = Contestant("floor", "bench.rivals.floor", client, {"peer": peer})

if __name__ == "__main__":
    main(FLOOR)
