"""streaq: an analysis task, and a policy task that it enqueues, each in a worker of its own.

streaq reads a stream in batches and prefetches. Results are not kept (ttl 0), since the reply goes
by a stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streaq import Worker

from bench.rivals import stages
from bench.rivals.harness import Action, Ask, Contestant, Options, main

CONCURRENCY = 64


class Queues:
    """Both queues with their tasks, as the client and each worker know them."""

    def __init__(self, options: Options) -> None:
        def made(name: str) -> Worker[None]:
            concurrency = options.concurrency or CONCURRENCY
            return Worker(options.redis_url, queue_name=name, concurrency=concurrency)

        self.analyses, self.decisions = made("analyses"), made("decisions")

        @self.analyses.task(ttl=0, silent=True)
        async def analyze(request: str, action: Action) -> None:
            """The first stage hands over to the second."""
            await self.decide.enqueue(request, stages.analyze(action, options.spin_us))

        @self.decisions.task(ttl=0, silent=True)
        async def decide(request: str, risk: str) -> None:
            """The second stage answers the client."""
            verdict = {"request": request, "outcome": stages.decide(risk)}
            await self.decisions.redis.xadd(stages.REPLIES, verdict)

        self.analyze, self.decide = analyze, decide


@asynccontextmanager
async def client(options: Options) -> AsyncIterator[Ask]:
    """The agents' side: enqueue, then wait for the reply."""
    queues = Queues(options)

    async def submit(request: str, action: Action) -> object:
        return await queues.analyze.enqueue(request, action)

    async with (
        queues.analyses,
        stages.answered_by_stream(options.redis_url, submit) as ask,
    ):
        yield ask


async def analyzer(options: Options) -> None:
    queues = Queues(options)
    async with queues.decisions:
        await queues.analyses.run_async()


async def policy(options: Options) -> None:
    await Queues(options).decisions.run_async()


STREAQ = Contestant("streaq", "bench.rivals.streaq_queue", client, {"analyzer": analyzer, "policy": policy})

if __name__ == "__main__":
    main(STREAQ)
