"""guardtier itself: the client, an analyzer worker and a policy worker, each in a process of its own.

The workers are those of the distribution; only the ensemble is the bench's, so that the analysis is
as long as everybody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.guardtier_children import JudgeAnalyzer, SpinAnalyzer
from bench.rivals.harness import Action, Ask, BenchError, Contestant, Options, main
from bench.roles import url_of
from guardtier import ActionEvent, GuardClient
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.settings import Settings
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.policy import PolicyWorker

FLEET = "default"


@asynccontextmanager
async def client(options: Options) -> AsyncIterator[Ask]:
    """The agents' side: what an agent does before each tool call."""
    await _until_registered(options)
    async with GuardClient(url_of("agents", options.redis_url), fleet=FLEET) as guard:

        async def ask(action: Action) -> None:
            event = ActionEvent(
                fleet=FLEET,
                agent="agent",
                tool_name=action["tool_name"],
                arguments=action["arguments"],
                summary=action.get("summary", ""),
            )
            verdict = await guard.check(event, timeout=60)
            if not verdict.allowed:
                raise BenchError(f"the bench's actions are all released, not {verdict.outcome}")

        yield ask


async def analyzer(options: Options) -> None:
    await rate_with(SpinAnalyzer(options.spin_us), options)


async def judge(options: Options) -> None:
    """An analyzer worker that waits 50 ms for somebody else's judgement."""
    await rate_with(JudgeAnalyzer(), options)


async def policy(options: Options) -> None:
    await work(PolicyWorker(Settings.load(redis_url=url_of("policy", options.redis_url))))


async def rate_with(child: SecurityAnalyzer, options: Options) -> None:
    url = url_of("analyzer", options.redis_url)
    settings = Settings.load(redis_url=url, concurrency=options.concurrency or 64)
    await work(AnalyzerWorker(settings, analyzers=EnsembleSecurityAnalyzer([child])))


async def work(worker: StreamWorker) -> None:
    await worker.run(asyncio.Event())


async def _until_registered(options: Options) -> None:
    """Wait for the workers, as an agent's owner would: by asking until the fleet is known."""
    from guardtier.store.connection import connect
    from guardtier.store.upkeep import Upkeep

    redis = connect(options.redis_url)
    while FLEET not in await Upkeep(redis, 1).fleets():
        await asyncio.sleep(0.02)
    await redis.aclose()


GUARDTIER = Contestant(
    "guardtier", "bench.guardtier_side", client, {"analyzer": analyzer, "policy": policy}
)

if __name__ == "__main__":
    main(GUARDTIER)
