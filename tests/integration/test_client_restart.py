"""GuardClient across restarts and partitions: an action's id finds its verdict from anywhere."""

from __future__ import annotations

import asyncio

from guardtier import ActionEvent, GuardClient, State
from guardtier.store.keys import Keys, partition_for
from tier import StartTier, Tier, high, low
from waiting import until

# -- a client after a restart ------------------------------------------------------------------


async def test_a_restarted_client_of_the_same_name_gets_the_verdict(tier: Tier) -> None:
    action = high()
    async with GuardClient(tier.settings.redis_url, fleet="web", client_id="c-1") as before:
        submitted = await before.submit(action)
    await tier.approver().approve(submitted.id)

    after = tier.client(client_id="c-1")

    assert (await after.poll(action)).state is State.APPROVED
    assert (await after.redeem(action)).allowed


async def test_a_restarted_client_of_another_name_waits_for_the_same_verdict(tier: Tier) -> None:
    action = high()
    async with GuardClient(tier.settings.redis_url, fleet="web") as before:
        submitted = await before.submit(action)

    asking = asyncio.create_task(tier.client().check(action))
    await until(lambda: has_event(tier, submitted.id, "repeated"))
    await tier.approver().approve(submitted.id)

    assert (await asking).allowed


async def has_event(tier: Tier, action_id: str, event: str) -> bool:
    return event in await tier.events(action_id)


async def test_a_poll_that_finds_it_parked_is_told_what_comes(tier: Tier) -> None:
    submitted = await tier.client().submit(high())
    other = tier.client(client_id="late")
    await other.poll(submitted.id)

    await tier.approver().reject(submitted.id, reason="no")

    told = await tier.redis.xrevrange(Keys(0).reply("web", "late"), count=1)
    assert told[0][1][b"state"] == b"rejected"


# -- partitions --------------------------------------------------------------------------------


def named_in(partition: int) -> str:
    """A client's name that belongs to this of two partitions."""
    return next(f"c-{n}" for n in range(100) if partition_for(f"c-{n}", 2) == partition)


async def test_each_client_lives_in_its_partition_and_reaches_the_other(
    start_tier: StartTier,
) -> None:
    tier = await start_tier(partitions=2)
    clients = [tier.client(client_id=named_in(partition)) for partition in (0, 1)]

    verdicts = await asyncio.gather(*(client.check(low()) for client in clients))

    assert [verdict.id[-2:] for verdict in verdicts] == [".0", ".1"]
    assert (await clients[0].poll(verdicts[1].id)).verdict == verdicts[1]
    parked = await clients[1].submit(high())
    assert parked.id.endswith(".1")
    await tier.approver().approve(parked.id)
    assert (await clients[0].poll(parked.id)).state is State.APPROVED


async def test_an_action_that_was_placed_keeps_its_partition(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    placed: ActionEvent = low().placed_in(1)

    verdict = await tier.client(client_id=named_in(0)).check(placed)

    assert verdict.id == placed.id
