"""Quotas: a fleet and its agents may ask so fast. What is beyond is refused unrated, and told to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from guardtier import BlockingGuardClient, State
from guardtier.errors import GuardTimeout, InvalidAction, QuotaExceeded
from guardtier.quota import Quota
from guardtier.store.keys import ANALYZERS, Keys, QuotaKeys
from guardtier.store.pipe import CommandPipe
from guardtier.store.spending import Waits, spend
from tier import StartTier, high, low, submitted
from waiting import until

#: Nothing comes back while a test runs: a token takes 1,000 s.
SLOW = 0.001
FEW = {"rate": SLOW, "burst": 3}
KEYS = QuotaKeys("web")


def fleets(**own: Any) -> dict[str, Any]:
    return {"fleets": {"web": own, "small": {}}}


# -- the script ----------------------------------------------------------------------------------


@pytest.fixture
async def redis(any_redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(any_redis_url) as opened:
        yield opened


@pytest.fixture
async def pipe(redis: Redis) -> AsyncIterator[CommandPipe]:
    opened = CommandPipe(redis, insist=False)
    yield opened
    await opened.close()


THREE = Quota(**FEW)
FREE = Waits(0, 0)


async def drawn(
    pipe: CommandPipe, *agents: str | None, quota: Quota | None = THREE, **own: Any
) -> list[Waits]:
    return await spend(pipe, "web", agents, quota=quota, agent_quota=own.get("own"))


async def test_so_many_at_once_and_then_one_by_one(pipe: CommandPipe) -> None:
    found = await drawn(pipe, *"abcde")

    assert found[:3] == [FREE] * 3
    assert 0 < found[3].fleet <= 1000
    assert found[4] == found[3]  # what is refused takes nothing


async def test_an_agents_quota_is_its_own(pipe: CommandPipe) -> None:
    one = Quota(rate=SLOW, burst=1)

    found = await drawn(pipe, "a", "a", "b", None, None, quota=None, own=one)

    assert [wait.agent > 0 for wait in found] == [False, True, False, False, False]
    assert {wait.fleet for wait in found} == {0}


async def test_what_an_agents_quota_refuses_is_not_drawn_from_its_fleets(pipe: CommandPipe) -> None:
    await drawn(pipe, *["greedy"] * 20, own=Quota(rate=SLOW, burst=1))

    assert (await drawn(pipe, "b", "c", own=Quota(rate=SLOW, burst=1))) == [FREE, FREE]


async def test_a_token_comes_back(pipe: CommandPipe, redis: Redis) -> None:
    await drawn(pipe, *"abc")
    full_at = int(await redis.get(KEYS.quota))
    await redis.set(KEYS.quota, full_at - 1_000_000_000)  # 1,000 s later

    assert [wait == FREE for wait in await drawn(pipe, *"ab")] == [True, False]


async def test_a_bucket_that_is_full_again_leaves_nothing(pipe: CommandPipe, redis: Redis) -> None:
    await drawn(pipe, "a", "b", own=THREE)

    for key in (KEYS.quota, KEYS.of_agent("a"), KEYS.of_agent("b")):
        assert 0 < await redis.pttl(key) <= 2_000_000
    await drawn(pipe, "c", quota=Quota(rate=1_000_000), own=Quota(rate=1_000_000))
    await until(lambda: _gone(redis, KEYS.of_agent("c")))


async def _gone(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)


@pytest.mark.parametrize("nonsense", ["words", "nan", "-inf", "1e400", ""])
async def test_what_cannot_be_a_time_costs_one_filling_at_the_most(
    pipe: CommandPipe, redis: Redis, nonsense: str
) -> None:
    await redis.set(KEYS.quota, nonsense)

    (wait,) = await drawn(pipe, "a")

    assert 0 <= wait.fleet <= 1000  # one token's time


async def test_a_key_of_another_type_is_a_full_bucket(pipe: CommandPipe, redis: Redis) -> None:
    await redis.rpush(KEYS.quota, "x")

    assert await drawn(pipe, "a") == [FREE]
    assert await redis.type(KEYS.quota) == b"string"


# -- in a tier -----------------------------------------------------------------------------------


async def test_beyond_its_quota_a_fleet_is_refused_unrated_and_told_when_to_ask(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(**fleets(quota=FEW))
    client = tier.client()
    for n in range(3):
        await client.check(low(f"echo {n}"))
    over = low("echo over")

    with pytest.raises(QuotaExceeded, match="fleet web is spent") as refused:
        await client.check(over)

    assert refused.value.field == "quota"
    assert 0 < refused.value.retry_after <= 1000
    assert await tier.redis.exists(Keys(0).action(over.placed_in(0).id)) == 0
    await tier.client("small").check(low(fleet="small"))  # another fleet is as free as before


async def test_an_agent_over_its_own_quota_does_not_keep_the_others_out(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(agent_quota={"rate": SLOW, "burst": 1}))
    client = tier.client()
    await client.check(low(agent="greedy"))

    with pytest.raises(QuotaExceeded) as refused:
        await client.check(low(agent="greedy"))

    assert refused.value.field == "agent_quota"
    await client.check(low(agent="modest"))


async def test_a_quota_holds_over_all_partitions_and_workers(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=2, partitions=4, **fleets(quota={"rate": SLOW, "burst": 3}))
    clients = [tier.client() for _ in range(8)]

    said = await asyncio.gather(
        *(one.check(low()) for one in clients for _ in range(3)), return_exceptions=True
    )

    assert sum(isinstance(one, QuotaExceeded) for one in said) == 24 - 3


async def test_what_was_asked_before_is_still_told_and_redeemed(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota={"rate": SLOW, "burst": 1}))
    client, action = tier.client(), high()
    await client.submit(action)
    with pytest.raises(QuotaExceeded):
        await client.submit(high("rm -rf /"))
    await tier.approver().approve((await tier.parked())[0].id)

    await until(lambda: _is(client, action, State.APPROVED))
    assert (await client.redeem(action)).allowed
    await client.observe(action, "done")
    assert len(await client.pending("agent-1")) == 0


async def _is(client: Any, action: Any, state: State) -> bool:
    return (await client.poll(action)).state is state


async def test_who_polls_in_a_tight_loop_is_refused_and_no_other_agent(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(agent_quota={"rate": SLOW, "burst": 2}))
    client, action = tier.client(), high(agent="greedy")
    await client.submit(action)

    for _ in range(20):  # ten for each action that its quota holds at once
        await client.poll(action)
    for asks in (lambda: client.poll(action), lambda: client.pending("greedy")):
        with pytest.raises(QuotaExceeded, match="polls, lists and reports") as refused:
            await asks()
        assert refused.value.field == "agent_quota"
        assert refused.value.retry_after > 0

    assert len(await client.pending("modest")) == 0
    await client.submit(high("rm -rf /", agent="greedy"))  # polls take none of what is for actions
    approver = tier.approver()
    await approver.approve(action.placed_in(0).id)
    assert (await client.redeem(action)).allowed


async def test_whose_action_is_polled_is_as_its_record_says(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota=FEW))
    client, action = tier.client(), high()
    await client.submit(action)

    for _ in range(30):
        await client.poll(action)
    with pytest.raises(QuotaExceeded) as refused:
        await client.poll(action)

    assert refused.value.field == "quota"


async def test_polls_and_actions_that_are_refused_at_once_are_each_told_by_which_quota(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(**fleets(quota={"rate": SLOW, "burst": 1}))
    client = tier.client()
    await client.submit(low())
    for _ in range(10):
        await client.pending("agent-1")

    asked = [ask for n in range(8) for ask in (client.pending("agent-1"), client.submit(low(f"echo {n}")))]
    refused = await asyncio.gather(*asked, return_exceptions=True)

    assert ["for polls" in str(error) for error in refused] == [True, False] * 8


async def test_what_cannot_be_read_draws_on_the_quota_too(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota=FEW))
    client = tier.client(client_id="raw-1")
    stream = Keys(0).actions("web")
    for _ in range(3):
        await tier.redis.xadd(stream, submitted(low()) | {"id": "x.0", "payload": "{"})
    await tier.idle()

    with pytest.raises(QuotaExceeded):
        await client.check(low())
    kinds = [line["event"] for line in await tier.audit()]
    assert kinds == ["refused"] * 3 + ["turned_away"]


async def test_a_client_may_wait_for_its_quota(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota={"rate": 50, "burst": 1}))
    client = tier.client()

    verdicts = await asyncio.gather(*(client.check(low(f"{n}"), wait_for_quota=True) for n in range(5)))

    assert all(verdict.allowed for verdict in verdicts)
    assert "turned_away" in [line["event"] for line in await tier.audit()]


async def test_it_waits_no_longer_than_its_timeout(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota={"rate": SLOW, "burst": 1}))
    client = tier.client()
    await client.check(low())

    with pytest.raises(GuardTimeout):
        await client.check(low(), wait_for_quota=True, timeout=0.2)


async def test_the_blocking_client_is_told_the_same(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota={"rate": SLOW, "burst": 1}))

    def asks() -> float:
        with BlockingGuardClient(tier.url, fleet="web") as client:
            assert client.check(low(), wait_for_quota=True).allowed
            with pytest.raises(QuotaExceeded) as refused:
                client.check(low())
            return refused.value.retry_after

    assert 0 < await asyncio.to_thread(asks) <= 1000


async def test_a_flood_of_refusals_is_counted_in_few_audit_lines(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota=FEW))
    client = tier.client()

    said = await asyncio.gather(*(client.check(low()) for _ in range(500)), return_exceptions=True)

    assert sum(isinstance(one, QuotaExceeded) for one in said) == 497
    lines = await until(lambda: _counted(tier, 497))
    assert len(lines) < 100
    assert {line["why"] for line in lines} == {"quota_exceeded"}
    await until(lambda: _gone(tier.redis, Keys(0).turned("web")))


async def _counted(tier: Any, count: int) -> list[dict[str, str]] | None:
    lines = [line for line in await tier.audit() if line["event"] == "turned_away"]
    return lines if sum(int(line["count"]) for line in lines) == count else None


async def test_what_was_refused_is_finished_and_gone(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota={"rate": SLOW, "burst": 1}))
    client = tier.client()
    await client.check(low())
    with pytest.raises(QuotaExceeded):
        await client.check(low())

    assert (await tier.redis.xpending(Keys(0).actions("web"), ANALYZERS))["pending"] == 0
    assert len(await tier.redis.xrange(Keys(0).actions("web"))) <= 1


async def test_bad_requests_are_still_told_what_is_wrong(start_tier: StartTier) -> None:
    tier = await start_tier(**fleets(quota=FEW))

    with pytest.raises(InvalidAction):
        await tier.client().check(low().model_copy(update={"tool_name": ""}))
