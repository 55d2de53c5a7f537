"""arq: an analysis job, and a policy job that it enqueues, each in a worker process of its own.

Its workers poll (``--poll-delay``, 0.5 s by default; 5 ms is the lowest that pays). Results are not
kept, since the reply goes by a stream; ``max_jobs`` is what came out fastest with 64 agents.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

from bench.rivals import stages
from bench.rivals.harness import Action, Ask, Contestant, Options, main

MAX_JOBS = 64
ANALYSES, DECISIONS = "bench:analyses", "bench:decisions"


@asynccontextmanager
async def client(options: Options) -> AsyncIterator[Ask]:
    """The agents' side: enqueue, then wait for the reply."""
    pool = await create_pool(RedisSettings.from_dsn(options.redis_url))

    async def submit(request: str, action: Action) -> object:
        return await pool.enqueue_job("analyze", request, action, _queue_name=ANALYSES)

    async with stages.answered_by_stream(options.redis_url, submit) as ask:
        yield ask
    await pool.aclose()


async def analyze(context: dict[str, Any], request: str, action: Action) -> None:
    """The first stage hands over to the second."""
    risk = stages.analyze(action, context["spin_us"])
    await context["redis"].enqueue_job("decide", request, risk, _queue_name=DECISIONS)


async def decide(context: dict[str, Any], request: str, risk: str) -> None:
    """The second stage answers the client."""
    verdict = {"request": request, "outcome": stages.decide(risk)}
    await context["redis"].xadd(stages.REPLIES, verdict)


async def analyzer(options: Options) -> None:
    await worker(options, analyze, ANALYSES)


async def policy(options: Options) -> None:
    await worker(options, decide, DECISIONS)


async def worker(options: Options, function: Any, queue: str) -> None:
    """One arq worker with one function."""
    made = Worker(
        functions=[function],
        queue_name=queue,
        redis_settings=RedisSettings.from_dsn(options.redis_url),
        poll_delay=options.poll_delay,
        max_jobs=options.concurrency or MAX_JOBS,
        keep_result=0,
        log_results=False,
        ctx={"spin_us": options.spin_us},
    )
    await made.async_run()


ARQ = Contestant("arq", "bench.rivals.arq_queue", client, {"analyzer": analyzer, "policy": policy})

if __name__ == "__main__":
    main(ARQ)
