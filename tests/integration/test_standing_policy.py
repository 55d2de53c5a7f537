"""A fleet's policy at run time: for the next action, on every worker, by whoever may."""

from __future__ import annotations

import asyncio

import pytest

from desk import Desk, verdict_on
from guardtier import State
from guardtier.approver_policies import seen_of
from guardtier.errors import PolicyNotEverywhere, UnknownFleet, WrongState
from guardtier.policy import AlwaysConfirm, ConfirmRisky, NeverConfirm
from guardtier.policy.standing import NONE, UNREADABLE, digest_of_policy
from guardtier.risk import SecurityRisk
from guardtier.store.keys import POLICIES, Keys, partition_for
from guardtier.store.ledger import Circumstances, Decision
from guardtier_workers.policy import PolicyWorker
from tier import StartTier, Tier, high, low, unknown

KEYS = Keys(0)


# -- what is set counts --------------------------------------------------------------------------


async def test_a_policy_counts_for_the_next_action_and_is_recorded(tier: Tier) -> None:
    client, operator = tier.client(), tier.operator()
    assert (await client.submit(low())).state is State.RELEASED

    (strict,) = await operator.set_policy("web", AlwaysConfirm())
    parked = await client.submit(low())
    await operator.set_policy("web", ConfirmRisky(confirm_unknown=False))
    released = await client.submit(unknown())

    assert strict.changed
    assert parked.is_waiting
    assert released.verdict is not None
    assert released.verdict.policy == "confirm_risky:HIGH@2"
    assert (await tier.record(parked.id)).policy == "always_confirm@1"
    lines = [line for line in await tier.audit() if line["event"] == "configured"]
    assert [(line["by"], line["was"], line["policy"]) for line in lines] == [
        ("olga", "settings", "always_confirm@1"),
        ("olga", "always_confirm@1", "confirm_risky:HIGH@2"),
    ]


async def test_a_reset_goes_back_to_the_settings(tier: Tier) -> None:
    operator = tier.operator()
    await operator.set_policy("web", NeverConfirm())
    assert (await tier.client().submit(high())).state is State.RELEASED

    (found,) = await operator.reset_policy("web")

    assert (found.policy, found.standing and found.standing.version) == (None, 2)
    again = await tier.client().submit(high())
    assert again.is_waiting
    assert (await tier.record(again.id)).policy == "confirm_risky:HIGH+unknown@2"


async def test_what_could_not_be_analyzed_is_parked_under_any_policy(desk: Desk) -> None:
    """``bury`` parks whatever stands: the script must not ask it to decide again."""
    await desk.redis.hset(desk.keys.policies, "web", b"garbage")
    action = await desk.bring(State.ASSESSED)
    entry = await desk.assessed_entry(action)
    decision = Decision("parked", "policy.failed", park_ms=1000, under=None)

    done = await desk.decided(action, decision, delivery=entry)

    assert done.what == "parked"


async def test_other_fleets_keep_theirs(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    await tier.operator().set_policy("web", AlwaysConfirm())

    assert (await tier.client("ops").submit(low(fleet="ops"))).state is State.RELEASED


async def test_every_policy_worker_decides_under_it_at_once(start_tier: StartTier) -> None:
    """Each of them has released under the settings before, so each has another policy in mind."""
    tier = await start_tier(policies=4, concurrency=1)
    client, operator = tier.client(), tier.operator()
    await asyncio.gather(*(client.submit(low()) for _ in range(40)))

    for policy, waits in ((AlwaysConfirm(), True), (NeverConfirm(), False), (AlwaysConfirm(), True)):
        await operator.set_policy("web", policy)
        found = await asyncio.gather(*(client.submit(high()) for _ in range(40)))
        assert {status.is_waiting for status in found} == {waits}


async def test_it_stands_after_a_restart_of_the_workers(tier: Tier) -> None:
    await tier.operator().set_policy("web", AlwaysConfirm())
    for running in tier.workers:
        if isinstance(running.worker, PolicyWorker):
            await running.stop()

    tier.workers = [running for running in tier.workers if not running.task.done()]
    await tier.policy()

    assert (await tier.client().submit(low())).is_waiting


# -- the race between a worker's look and its write ----------------------------------------------


async def test_a_policy_that_changed_since_the_look_is_given_and_nothing_is_decided(desk: Desk) -> None:
    action = await desk.bring(State.ASSESSED)
    entry = await desk.assessed_entry(action)
    await desk.redis.hset(desk.keys.policies, "web", b"\xff{new}")
    before = await desk.snapshot(action)

    done = await desk.decide(action, "released", delivery=entry)

    assert (done.what, done.more) == ("moved", (b"\xff{new}", b"", b"", b""))
    assert await desk.snapshot(action) == before
    assert await desk.pending(entry)


async def test_a_decision_under_what_stands_is_taken(desk: Desk) -> None:
    action = await desk.bring(State.ASSESSED)
    entry = await desk.assessed_entry(action)
    await desk.redis.hset(desk.keys.policies, "web", b"new")
    decision = Decision("parked", "p@2", park_ms=1000, under=Circumstances(policy=b"new"))

    assert (await desk.decided(action, decision, delivery=entry)).what == "parked"


async def test_of_two_requests_for_the_same_place_one_is_written(desk: Desk) -> None:
    entries = [await desk.given(desk.keys.answers, POLICIES, id=f"r{n}.0") for n in range(9)]

    done = await asyncio.gather(
        *(desk.configure(b"policy-%d" % n, delivery=entry) for n, entry in enumerate(entries))
    )

    assert sorted(t.what for t in done) == ["configured", *["moved"] * 8]
    assert (await desk.configure(b"next", replaces=b"policy-9")).what == "moved"


async def test_a_policy_is_written_once_however_often_it_is_sent(desk: Desk) -> None:
    await desk.configure(b"new")
    before = await desk.redis.xlen(desk.keys.audit)

    again = await desk.configure(b"new", replaces=b"new")

    assert again.what == "configured"
    assert await desk.redis.xlen(desk.keys.audit) == before
    assert await desk.redis.xlen(desk.keys.told("console-1")) == 2


async def test_only_parking_is_possible_whatever_stands(desk: Desk) -> None:
    action = await desk.bring(State.ASSESSED)
    entry = await desk.assessed_entry(action)
    await desk.redis.hset(desk.keys.policies, "web", b"new")
    decision = Decision("released", "p@1", verdict_on(action, "released"), under=None)

    done = await desk.decided(action, decision, delivery=entry)

    assert (done.what, done.more[0]) == ("moved", b"new")


# -- what can't be read parks --------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"{}",
        b"*",
        b"!",
        b"\xff\x00",
        b'{"version": 1, "policy": {"kind": "maybe"}, "by": "a", "at": 1, "request": "a.0"}',
        b'{"version":1,"policy":null,"by":"a","at":1,"request":"a.0","more":1}',
        b"x" * 4_000_000,  # a server that we start takes 4 MiB in one piece
    ],
    ids=lambda raw: repr(raw[:30]),
)
async def test_a_policy_that_can_not_be_read_parks_everything(tier: Tier, garbage: bytes) -> None:
    await tier.redis.hset(KEYS.policies, "web", garbage)

    parked = await tier.client().submit(low())

    assert parked.is_waiting
    assert (await tier.record(parked.id)).policy == UNREADABLE
    (found,) = await tier.operator().policy("web")
    assert not found.readable
    await tier.operator().set_policy("web", NeverConfirm())
    assert (await tier.client().submit(low())).state is State.RELEASED


async def test_a_key_of_another_type_parks_everything(tier: Tier) -> None:
    await tier.redis.set(KEYS.policies, "always_release")

    parked = await tier.client().submit(low())

    assert (await tier.record(parked.id)).policy == UNREADABLE


async def test_setting_what_stands_sends_nothing(tier: Tier) -> None:
    operator = tier.operator()
    await operator.set_policy("web", AlwaysConfirm())

    (found,) = await operator.set_policy("web", AlwaysConfirm())

    assert not found.changed
    assert found.standing is not None
    assert found.standing.version == 1


async def test_a_policy_replaces_only_what_its_author_has_seen(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    olga, omar = tier.operator(), tier.operator("omar")
    seen = seen_of(await olga.policy("web"))
    theirs = await omar.set_policy("web", AlwaysConfirm(), replaces=seen)

    with pytest.raises(WrongState, match="omar has set always_confirm@1"):
        await olga.set_policy("web", NeverConfirm(), replaces=seen)
    with pytest.raises(WrongState, match="omar has set always_confirm@1"):
        await olga.reset_policy("web", replaces=seen)
    again = await omar.set_policy("web", AlwaysConfirm(), replaces=seen)
    mine = await olga.set_policy("web", NeverConfirm(), replaces=seen_of(theirs))
    await tier.redis.hdel(Keys(1).policies, "web")
    both = await omar.reset_policy("web", replaces=seen_of(await omar.policy("web")))

    assert [part.changed for part in (*again, *mine, *both)] == [False, False, True, True, True, False]


async def test_a_request_names_what_it_replaces_by_its_bytes() -> None:
    assert digest_of_policy(b"") == NONE != digest_of_policy(b"x")


# -- partitions ----------------------------------------------------------------------------------


async def test_it_is_set_in_every_partition(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)

    found = await tier.operator().set_policy("web", AlwaysConfirm())

    assert [(part.partition, part.policy) for part in found] == [(0, AlwaysConfirm()), (1, AlwaysConfirm())]
    for partition in (0, 1):
        name = next(f"c-{n}" for n in range(100) if partition_for(f"c-{n}", 2) == partition)
        assert (await tier.client(client_id=name).submit(low())).is_waiting


async def test_what_failed_in_one_partition_is_said_and_can_be_repeated(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    await tier.redis.srem(Keys(1).fleets, "web")

    with pytest.raises(PolicyNotEverywhere, match="1 of 2 partitions, repeat it: partition 1") as said:
        await tier.operator().set_policy("web", AlwaysConfirm())

    assert isinstance(said.value.__cause__, UnknownFleet)
    assert [part.policy for part in await tier.operator().policy("web")] == [AlwaysConfirm(), None]
    await tier.upkeep.register("web")
    found = await tier.operator().set_policy("web", AlwaysConfirm())
    assert [part.changed for part in found] == [False, True]


async def test_a_threshold_is_part_of_what_is_set(tier: Tier) -> None:
    policy = ConfirmRisky(threshold=SecurityRisk.LOW, confirm_unknown=False)
    await tier.operator().set_policy("web", policy)

    assert (await tier.client().submit(low())).is_waiting
    assert (await tier.client().submit(unknown())).state is State.RELEASED
    (found,) = await tier.approver().policy("web")
    assert found.policy == policy
