"""Blocks: what a rejection leaves, so that the very same action is refused at once."""

from __future__ import annotations

import asyncio
import json

import pytest

from desk import FLEET, Desk
from guardtier.errors import InvalidAnswer
from guardtier.policy.block import Block
from guardtier.policy.terms import Terms
from guardtier.state import State
from guardtier.store.keys import POLICIES, Keys, all_keys
from guardtier_workers.clock import now_ms
from tier import StartTier, Tier, high
from waiting import until

MINUTES = 60_000


async def parked(tier: Tier, **terms: float) -> str:
    """The id of a new parked action."""
    action_id = (await tier.client().submit(high())).id
    await tier.redis.hset(home(action_id).action(action_id), "terms", Terms(**terms).to_json())
    return action_id


def home(action_id: str) -> Keys:
    return Keys(int(action_id.rpartition(".")[2]))


async def block_of(tier: Tier, action_id: str, keys: Keys | None = None) -> Block | None:
    digest = (await tier.record(action_id)).digest
    return Block.read(await tier.redis.get((keys or home(action_id)).block(digest)) or b"")


async def lasts(tier: Tier, action_id: str) -> int:
    """For how many minutes the same is refused, rounded up; 0 for not at all."""
    digest = (await tier.record(action_id)).digest
    return -(-max(0, await tier.redis.pttl(home(action_id).block(digest))) // MINUTES)


async def test_a_rejection_leaves_a_block_with_its_reason(tier: Tier) -> None:
    action_id = await parked(tier)

    await tier.approver("alice").reject(action_id, reason="use the key store")

    block = await block_of(tier, action_id)
    assert block is not None
    assert (block.id, block.by, block.reason) == (action_id, "alice", "use the key store")
    assert abs(block.until - now_ms() - 10 * MINUTES) < MINUTES
    assert await lasts(tier, action_id) == 10
    line = (await tier.audit(action_id))[-1]
    assert (line["event"], json.loads(line["details"])["until"]) == ("rejected", block.until)


async def test_the_policy_and_then_the_approver_say_for_how_long(tier: Tier) -> None:
    alice = tier.approver()
    said = [await parked(tier, retry=1800) for _ in range(3)]

    await alice.reject(said[0], reason="no", retry=0)
    assert await lasts(tier, said[0]) == 0
    await alice.reject(said[1], reason="no")
    assert await lasts(tier, said[1]) == 30
    await alice.reject(said[2], reason="no", retry=3600)
    assert await lasts(tier, said[2]) == 60


async def test_a_shorter_block_does_not_end_a_longer_one(tier: Tier) -> None:
    alice, first, second = tier.approver(), await parked(tier), await parked(tier)
    await alice.reject(first, reason="long", retry=3600)
    await alice.reject(second, reason="short", retry=60)

    block = await block_of(tier, second)

    assert block is not None
    assert block.reason == "long"
    assert await lasts(tier, second) == 60


async def test_neither_approvals_nor_votes_block(tier: Tier) -> None:
    approved, waits, never = await parked(tier), await parked(tier, reject=2), await parked(tier, retry=0)

    await tier.approver().approve(approved)
    await tier.approver().reject(waits, reason="no")
    await tier.approver().reject(never, reason="no")

    assert await block_of(tier, approved) is None  # they are one and the same action


async def test_a_block_has_bounds(tier: Tier) -> None:
    action_id, alice = await parked(tier), tier.approver()

    with pytest.raises(InvalidAnswer) as refused:
        await alice.reject(action_id, reason="no", retry=-1)

    assert refused.value.field == "retry"


async def test_a_long_reason_is_cut_so_that_the_block_can_be_read(tier: Tier) -> None:
    action_id = await parked(tier)

    await tier.approver().reject(action_id, reason="\x01😀" * 2000)

    raw = await tier.redis.get(home(action_id).block((await tier.record(action_id)).digest))
    assert len(raw) < 8192  # decide.lua takes nothing longer
    assert Block.read(raw) is not None


async def test_the_agent_is_refused_in_every_partition(start_tier: StartTier) -> None:
    """It may come back with another client, which lives elsewhere."""
    tier = await start_tier(partitions=3)
    action_id = await parked(tier)

    await tier.approver().reject(action_id, reason="no")

    async def everywhere() -> list[Block | None]:
        return [await block_of(tier, action_id, keys) for keys in all_keys(3)]

    async def all_blocked() -> bool:
        return None not in await everywhere()

    await until(all_blocked)
    assert len({found.to_json() for found in await everywhere() if found}) == 1
    await tier.idle()
    digest = (await tier.record(action_id)).digest
    lines = [line for line in await tier.audit(action_id) if line["event"] == "blocked"]
    assert [(line["fleet"], line["digest"], line["by"]) for line in lines] == [("web", digest, "alice")] * 2
    assert {keys.partition for keys in all_keys(3)} - {home(action_id).partition} == {
        keys.partition
        for keys in all_keys(3)
        for _, line in await tier.redis.xrange(keys.audit)
        if line[b"event"] == b"blocked"
    }


# -- the script --------------------------------------------------------------------------------


async def blocked(desk: Desk, until_ms: int, *, reason: str = "no") -> str:
    block = Block(reason=reason, by="alice", id="a1.1", until=until_ms)
    done = await desk.ledger.block(
        "a1.1", fleet=FLEET, digest="d" * 64, by="alice", block=block.to_json(), until=until_ms
    )
    return done.what


async def test_the_outbox_may_ask_for_a_block_twice_and_late(desk: Desk) -> None:
    soon, later = now_ms() + MINUTES, now_ms() + 2 * MINUTES
    key = desk.keys.block("d" * 64)

    assert await blocked(desk, now_ms() - 1) == "late"
    assert await desk.redis.exists(key) == 0
    assert await blocked(desk, later) == "blocked"
    assert await blocked(desk, later) == "again"
    assert await blocked(desk, soon, reason="other") == "stale"
    found = Block.read(await desk.redis.get(key))
    assert found is not None
    assert found.reason == "no"
    assert MINUTES < await desk.redis.pttl(key) <= 2 * MINUTES
    assert len(await desk.redis.xrange(desk.keys.audit)) == 1


async def test_of_two_rejections_at_once_one_leaves_its_block(desk: Desk) -> None:
    action = await desk.bring(State.PARKED)
    entries = [await desk.given(desk.keys.answers, POLICIES, id=action.id) for _ in range(2)]

    done = await asyncio.gather(
        *(
            desk.resolve(action, "rejected", delivery=entry, seen=b"", block=reason, block_ms=MINUTES)
            for entry, reason in zip(entries, (b"first", b"second"), strict=True)
        )
    )

    first = done.index(next(found for found in done if found.what == "rejected"))
    standing = await desk.redis.get(desk.keys.block(action.digest))
    assert standing == (b"first", b"second")[first]
