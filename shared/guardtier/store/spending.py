"""Spending: what agents ask draws on quotas, in Redis; one script call for many requests of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guardtier.quota import Quota
from guardtier.store.keys import QuotaKeys
from guardtier.store.pipe import CommandPipe


class Waits(NamedTuple):
    """Seconds to wait for the fleet's quota and for the agent's; both 0: the request may go on."""

    fleet: float
    agent: float


async def spend(
    pipe: CommandPipe,
    fleet: str,
    agents: Sequence[str | None],
    *,
    quota: Quota | None,
    agent_quota: Quota | None,
    polls: bool = False,
) -> list[Waits]:
    """One token for each request, in this order; ``agents`` names who asks, None where nobody can say.

    A request that is delivered again draws once more. ``polls``: of the buckets for what asks after
    earlier actions.
    """
    keys = QuotaKeys(fleet, polls=polls)
    numbers = {name: place for place, name in enumerate(dict.fromkeys(filter(None, agents)), start=2)}
    found = await pipe.script(
        "spend",
        [keys.quota, *map(keys.of_agent, numbers)],
        [*_limits(quota), *_limits(agent_quota), *(numbers.get(agent or "", 1) for agent in agents)],
    )
    return [
        Waits(of_fleet / 1000, own / 1000) for of_fleet, own in zip(found[::2], found[1::2], strict=True)
    ]


def _limits(quota: Quota | None) -> tuple[str, int]:
    return (f"{1e6 / quota.rate:.3f}", quota.at_once) if quota else ("0", 1)
