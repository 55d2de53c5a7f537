"""A fleet that sends 50 times as much as another does not make the other wait.

Waiting is counted in actions of the big fleet that are rated first, which no slow machine can change;
``make bench`` prints it in milliseconds.
"""

from __future__ import annotations

import asyncio

from guardtier.store.keys import Keys
from guardtier_workers.analyzer import AnalyzerWorker
from tier import StartTier, Tier, low
from waiting import until

SHARE, CONCURRENCY = 4, 8
SETTINGS = {"fleets": {"web": {}, "small": {}}, "share": SHARE, "concurrency": CONCURRENCY}

#: What an action of the small fleet may find before it: what is in work, what was read, and one more
#: read's share, whatever the other fleet has queued.
MOST_BEFORE = CONCURRENCY + 2 * SHARE


async def test_a_queued_fleet_is_served_in_turn_with_a_larger_one(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, **SETTINGS)
    big, small = tier.client("web"), tier.client("small")
    asked = [asyncio.create_task(big.check(low(str(n)))) for n in range(1000)]
    asked += [asyncio.create_task(small.check(low(str(n), fleet="small"))) for n in range(20)]
    await _queued(tier, 1000, 20)

    await tier.run(AnalyzerWorker(tier.settings))
    await asyncio.gather(*asked)

    fleets = await _order(tier)
    for number, place in enumerate(place for place, fleet in enumerate(fleets) if fleet == "small"):
        assert place - number <= number + MOST_BEFORE


async def test_each_action_of_the_small_fleet_passes_the_big_ones_queue(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, **SETTINGS)
    big, small = tier.client("web"), tier.client("small")
    crowd = [asyncio.create_task(big.check(low(str(n)))) for n in range(3000)]
    await _queued(tier, 3000, 0)
    await tier.run(AnalyzerWorker(tier.settings))

    waited: list[int] = []
    while len(waited) < 60 and not all(task.done() for task in crowd):
        before = len(await _order(tier))
        await small.check(low(fleet="small"))
        waited.append((await _order(tier)).index("small", before) - before)
    await asyncio.gather(*crowd)

    assert len(waited) >= 20
    # Besides, what was rated while the action was on its way to Redis: as much again at the most.
    assert sorted(waited)[len(waited) // 2] <= MOST_BEFORE
    assert max(waited) < 1000


async def _queued(tier: Tier, big: int, small: int) -> None:
    async def there() -> bool:
        keys = Keys(0)
        lengths = [await tier.redis.xlen(keys.actions(fleet)) for fleet in ("web", "small")]
        return lengths == [big, small]

    await until(there)


async def _order(tier: Tier) -> list[str]:
    """The fleet of each rated action, in the order of rating."""
    return [line["fleet"] for line in await tier.audit() if line["event"] == "assessed"]
