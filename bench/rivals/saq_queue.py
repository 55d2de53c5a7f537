"""SAQ: an analysis job, and a policy job that it enqueues, each in a worker process of its own.

SAQ blocks for work (BLMOVE, a connection for each job at a time). Finished jobs are deleted at once
(ttl -1), there is no time limit, and orjson does the encoding: its fastest fair set-up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

from bench.rivals import stages
from bench.rivals.harness import Action, Ask, Contestant, Options, main

CONCURRENCY = 16
FREE = 1000  #: operations at a time in one queue object: no throttle of its own
LEAN = {"timeout": 0, "ttl": -1, "retries": 1}
ANALYSES, DECISIONS = "analyses", "decisions"


def queue(options: Options, name: str) -> RedisQueue:
    redis = Redis.from_url(options.redis_url)
    return RedisQueue(redis, name, orjson.dumps, orjson.loads, max_concurrent_ops=FREE)


@asynccontextmanager
async def client(options: Options) -> AsyncIterator[Ask]:
    """The agents' side: enqueue, then wait for the reply."""
    analyses = queue(options, ANALYSES)

    async def submit(request: str, action: Action) -> object:
        return await analyses.enqueue("analyze", request=request, action=action, **LEAN)

    async with stages.answered_by_stream(options.redis_url, submit) as ask:
        yield ask
    await analyses.disconnect()


async def analyzer(options: Options) -> None:
    decisions = queue(options, DECISIONS)

    async def analyze(context: Any, *, request: str, action: Action) -> None:
        """The first stage hands over to the second."""
        risk = stages.analyze(action, options.spin_us)
        await decisions.enqueue("decide", request=request, risk=risk, **LEAN)

    await worker(options, queue(options, ANALYSES), ("analyze", analyze))


async def policy(options: Options) -> None:
    decisions = queue(options, DECISIONS)

    async def decide(context: Any, *, request: str, risk: str) -> None:
        """The second stage answers the client."""
        verdict = {"request": request, "outcome": stages.decide(risk)}
        await decisions.redis.xadd(stages.REPLIES, verdict)

    await worker(options, decisions, ("decide", decide))


async def worker(options: Options, source: RedisQueue, function: tuple[str, Any]) -> None:
    """One SAQ worker with one function; it ends itself on SIGTERM."""
    await Worker(
        source,
        [function],
        concurrency=options.concurrency or CONCURRENCY,
        shutdown_grace_period_s=1,
    ).start()


SAQ = Contestant("SAQ", "bench.rivals.saq_queue", client, {"analyzer": analyzer, "policy": policy})

if __name__ == "__main__":
    main(SAQ)
