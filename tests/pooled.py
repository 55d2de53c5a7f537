"""Pooled: a judge that is placed in a pool, and what it votes."""

from __future__ import annotations

from typing import Any

import strange
from guardtier import Assessment, Finding, SecurityRisk
from guardtier.store.keys import pool_queue
from strange import member
from tier import Tier, low

LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))

QUEUE = pool_queue("gpu")

#: What a process of its own is given for a vote that must come.
IN_ITS_TIME = {"time_limit": 14.0}


def judge(kind: type[Any] = strange.Says, **settings: Any) -> dict[str, Any]:
    """Settings with one child in the pool ``gpu``, beside the agent's claim."""
    table = member(kind, **{"placement": "pool:gpu"} | settings)
    return {"security": {"security_analyzer": "judge"}, "analyzer": {"judge": table}}


async def with_time_limit(tier: Tier, time_limit: float) -> None:
    """Another analyzer worker in the place of the first, that waits so long for the pool."""
    running = tier.workers.pop(0)
    await running.stop()
    judging = tier.settings.analyzer["judge"].model_copy(update={"time_limit": time_limit})
    tier.settings = tier.settings.model_copy(
        update={"analyzer": tier.settings.analyzer | {"judge": judging}}
    )
    await tier.analyzer()


async def rated(tier: Tier, action: Any = None) -> Assessment:
    """What the tier recorded of an action."""
    submitted = await tier.client().submit(action or low())
    return (await tier.record(submitted.id)).assessment


def only_finding(assessment: Assessment) -> Finding:
    (found,) = [one for one in assessment.findings if one.id.startswith("pool.")]
    return found
