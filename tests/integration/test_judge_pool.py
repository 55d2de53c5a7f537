"""The judge in a pool: it counts there as it does inline."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier import SecurityRisk
from guardtier.store.keys import pool_alive
from llmserver import rated, serving
from processes import Processes
from tier import Tier, unknown
from waiting import until


@pytest.mark.parametrize(
    ("says", "may", "risk"), [("LOW", False, "UNKNOWN"), ("LOW", True, "LOW"), ("HIGH", False, "HIGH")]
)
async def test_a_judge_in_a_pool(
    redis_url: str, tmp_path: Path, processes: Processes, says: str, may: bool, risk: str
) -> None:
    async with serving() as server:
        server.says(rated(says))
        table = {"placement": "pool:gpu", "model": "m", "base_url": server.url, "may_settle_unknown": may}
        async with Tier(
            redis_url, tmp_path, analyzers=("noop", "judge"), analyzer={"judge": table}
        ) as tier:
            await tier.analyzer()
            await tier.policy()
            processes.worker("pool gpu", tier.url, **tier.worker_env)
            await until(lambda: tier.redis.get(pool_alive("gpu")), 90.0)

            submitted = await tier.client().submit(unknown())

            assert (await tier.record(submitted.id)).assessment.risk == SecurityRisk(risk)
