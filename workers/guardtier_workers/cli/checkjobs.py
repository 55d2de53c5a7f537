"""What doctor looks at in arq's Redis: whether a steward takes its jobs, and each pool its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping

from guardtier.errors import ConfigError
from guardtier.store.connection import AnyRedis, RedisError, connect
from guardtier.store.upkeep import pools_alive, steward_alive
from guardtier_workers.arqredis import arq_url
from guardtier_workers.cli.found import Found
from guardtier_workers.cli.tier import Tier, shown_url

_MISSING = "deadlines, reminders, notices and the audit export stand still"


async def jobs(at: Tier, *, refuses: bool) -> AsyncIterator[Found]:
    """``refuses``: the tier's Redis takes no writes, so those that live can't say so there."""
    try:
        url = arq_url(at.settings.model_copy(update={"redis_url": at.url}))
    except ConfigError as error:  # these settings need not be the steward's
        yield Found(
            "warning", "steward", f"whether one lives can't be told by these settings: {error.message}"
        )
        return
    redis = connect(url)
    try:
        yield await _steward(redis, refuses=refuses and url == at.url)
        async for found in _pools(redis, at.settings.pools):
            yield found
    except (RedisError, OSError) as error:
        yield Found(
            "failure",
            "steward",
            f"arq's Redis at {shown_url(url)} can't be asked ({error}): start it, or mend arq_url",
        )
    finally:
        await redis.aclose()


async def _steward(redis: AnyRedis, *, refuses: bool) -> Found:
    alive = await steward_alive(redis)
    if alive:
        return Found("ok", "steward", f"alive ({alive.decode(errors='backslashreplace')})")
    if refuses:
        return Found(
            "failure", "steward", "none can say that it lives while Redis refuses writes: mend that first"
        )
    says = f"none alive, so {_MISSING}: start one with guardtier worker steward"
    return Found("failure", "steward", says)


async def _pools(redis: AnyRedis, pools: Mapping[str, Collection[str]]) -> AsyncIterator[Found]:
    alive = await pools_alive(redis, pools)
    for (pool, members), one in zip(pools.items(), alive, strict=True):
        if one:
            yield Found("ok", f"pool {pool}", f"alive, votes as {', '.join(members)}")
        else:
            yield Found("failure", f"pool {pool}", f"no worker alive: guardtier worker pool {pool}")
