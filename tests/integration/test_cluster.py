"""A real Redis Cluster: the tier works on it, through a slot that moves and a master that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import pytest

from clusters import Cluster
from guardtier import GuardClient, Outcome, State
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.store.acl import acl_line
from guardtier.store.cluster import ClusterWire
from guardtier.store.connection import AWAY, AnyRedis, connect, wire_to
from guardtier.store.keys import Keys, partition_for
from guardtier.store.roles import ANALYZER, POLICY, agents_of
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.arqredis import arq_url
from guardtier_workers.policy import PolicyWorker
from roleserver import hashed
from servers import PASSWORD, Server
from tier import StartTier, Tier, high, low
from waiting import until

PARTITIONS = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), masters=3, timeout_ms=5000) as cluster:
        yield cluster


@pytest.fixture
async def tier(start_tier: StartTier, redis_url: str, cluster: Cluster) -> Tier:
    return await start_tier(url=cluster.url, partitions=PARTITIONS, arq_url=redis_url)


def client_in(tier: Tier, partition: int) -> GuardClient:
    """A client whose actions are in this partition."""
    names = (f"client-{number}" for number in count())
    return tier.client(client_id=next(n for n in names if partition_for(n, PARTITIONS) == partition))


def other(cluster: Cluster, than: Server) -> Server:
    return next(one for one in cluster.masters if one is not than)


async def test_actions_of_every_partition_are_released_and_answered(tier: Tier) -> None:
    clients = [tier.client(client_id=f"client-{number}") for number in range(6)]
    verdicts = await asyncio.gather(*(one.check(low(f"ls {n}")) for n, one in enumerate(clients)))
    assert {verdict.id[-2:] for verdict in verdicts} == {".0", ".1", ".2"}
    assert all(verdict.allowed for verdict in verdicts)

    waiting = asyncio.create_task(clients[0].check(high(), timeout=90))
    (record,) = await tier.parked(1)
    await tier.approver().approve(record.id)

    assert (await waiting).outcome is Outcome.APPROVED
    assert await tier.record(record.id)
    assert (await tier.record(record.id)).state is State.REDEEMED


async def test_agents_and_workers_have_their_roles_on_a_cluster_too(
    start_tier: StartTier, redis_url: str, cluster: Cluster
) -> None:
    """What they need besides: to ask which node has which slot, and for a slot that is on its way."""
    for node in cluster.masters:
        for role in (ANALYZER, POLICY, agents_of("web")):
            _, name, *rules = acl_line(role, PARTITIONS, hashed("secret")).split(" ")
            node.ask("ACL", "SETUSER", name, *joined(rules))
        node.ask("ACL", "LOG", "RESET")
    tier = await start_tier(
        url=cluster.url, partitions=PARTITIONS, arq_url=redis_url, analyzers=0, policies=0
    )
    for role, worker in ((ANALYZER, AnalyzerWorker), (POLICY, PolicyWorker)):
        settings = tier.settings.model_copy(update={"redis_url": as_user(cluster, role.name)})
        await tier.run(worker(settings))
    async with GuardClient(as_user(cluster, "agent-web"), fleet="web", partitions=PARTITIONS) as agent:
        assert (await agent.check(low(), timeout=90)).allowed
    url = as_user(cluster, "agent-web")
    async with GuardClient(url, fleet="web", partitions=PARTITIONS, replicas=1) as agent:
        asking = asyncio.create_task(agent.check(low()))
        await until(lambda: agent.trouble == "0 of 1 replicas have the verdict")
        asking.cancel()

    denied = [entry for node in cluster.masters for entry in node.ask("ACL", "LOG")]
    assert denied == []


def as_user(cluster: Cluster, name: str) -> str:
    return cluster.url.replace(f":{PASSWORD}@", f"{name}:secret@")


def joined(rules: list[str]) -> list[str]:
    """The rules of a line of an ACL file, as ACL SETUSER takes them: a selector is one."""
    found: list[str] = []
    for rule in rules:
        if found and found[-1].startswith("(") and not found[-1].endswith(")"):
            found[-1] += f" {rule}"
        else:
            found.append(rule)
    return found


async def test_nobody_sees_that_a_slot_moves(tier: Tier, cluster: Cluster) -> None:
    """Clients that wait for replies, workers that read, and scripts follow the slot to its new node."""
    key = Keys(0).audit
    source = cluster.owner_of(key)
    client = client_in(tier, 0)
    waiting = asyncio.create_task(client.check(high("rm -rf ~/.aws"), timeout=90))
    (record,) = await tier.parked(1)
    running = [asyncio.create_task(client.check(low(f"moved {n}"), timeout=90)) for n in range(200)]

    moved = await asyncio.to_thread(cluster.move, key, other(cluster, source))

    assert moved > 0
    assert cluster.owner_of(key) is not source
    assert all([(await one).allowed for one in running])
    await tier.approver().approve(record.id)
    assert (await waiting).outcome is Outcome.APPROVED


async def test_a_partition_whose_slot_is_on_its_way_waits_for_it(tier: Tier, cluster: Cluster) -> None:
    """Between the first key that goes and the last, scripts of several keys are told to try again."""
    key = Keys(1).audit
    source = cluster.owner_of(key)
    target = other(cluster, source)
    client = client_in(tier, 1)
    await client.check(low("before"))

    cluster.begin_move(key, target)
    waiting = asyncio.create_task(client.check(low("meanwhile"), timeout=90))
    await until(lambda: any(lane.pipe.trouble for one in tier.workers for lane in one.worker.lanes))
    assert not waiting.done()
    await asyncio.to_thread(cluster.move, key, target)

    assert (await waiting).allowed


async def test_work_that_waits_for_a_slot_on_its_way_is_not_given_up(
    start_tier: StartTier, redis_url: str, cluster: Cluster
) -> None:
    impatient = {"analyzer_seconds": 0.1, "claim_seconds": 0.5, "max_deliveries": 1}
    tier = await start_tier(url=cluster.url, partitions=PARTITIONS, arq_url=redis_url, **impatient)
    key = Keys(2).audit
    target = other(cluster, cluster.owner_of(key))
    lanes = [lane for one in tier.workers for lane in one.worker.lanes]
    witness = cluster.owner_of(Keys(0).audit)

    def beats() -> int:
        return int(witness.ask("INFO", "commandstats")["cmdstat_set"]["calls"])

    cluster.begin_move(key, target)
    waiting = asyncio.create_task(client_in(tier, 2).check(low("meanwhile"), timeout=90))
    await until(lambda: any(lane.pipe.trouble for lane in lanes))
    begun = beats()
    await until(lambda: beats() > begun + 8)  # each lane looks after its handlers beside each of its beats
    await asyncio.to_thread(cluster.move, key, target)

    assert (await waiting).allowed
    assert [lane.failed for lane in lanes] == [0] * len(lanes)


async def test_a_wire_follows_moved_and_ask(cluster: Cluster) -> None:
    redis = connect(cluster.url)
    wire = wire_to(redis, answer_seconds=5.0)
    assert isinstance(wire, ClusterWire)
    key = "gt:{2}:told:wire"
    source = cluster.owner_of(key)
    target = other(cluster, source)
    assert (await wire.round_trip([("XADD", key, "1-0", "a", "b"), ("XLEN", key)]))[1] == 1

    cluster.begin_move(key, target)
    source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000, "AUTH", PASSWORD)
    asked = await wire.round_trip([("XLEN", key), ("XADD", key, "2-0", "a", "b")])
    await asyncio.to_thread(cluster.move, key, target)
    moved = await wire.round_trip([("XLEN", key), ("WAIT", 0, 0)])

    assert asked == [1, b"2-0"]
    assert moved == [2, 0]
    await wire.close()
    await redis.aclose()


async def test_a_node_that_hangs_holds_up_its_own_slots_alone(cluster: Cluster) -> None:
    redis = connect(cluster.url)
    wire = wire_to(redis, answer_seconds=1.5)
    keys = [Keys(partition).told("both") for partition in range(PARTITIONS)]
    owners = [cluster.owner_of(key) for key in keys]
    assert await wire.round_trip([("XLEN", key) for key in keys]) == [0, 0, 0]

    owners[0].pause()
    try:
        found = await wire.round_trip([("XLEN", key) for key in keys])
    finally:
        owners[0].go_on()

    assert [isinstance(one, TimeoutError) for one in found] == [of is owners[0] for of in owners]
    await wire.close()
    await redis.aclose()


def test_a_cluster_needs_another_redis_for_the_steward(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="a Redis of its own"):
        arq_url(Settings.load(redis_url=cluster.url))


async def test_who_is_cancelled_in_a_call_ends(cluster: Cluster) -> None:
    """As with one Redis (test_reset_connections.py), also by connections to nodes that were found later."""
    async with connect(cluster.url) as redis:
        await redis.ping()
        for turns in range(90):
            loop = asyncio.create_task(_set_for_ever(redis, f"k{turns}"))
            for _ in range(turns % 20):
                await asyncio.sleep(0)

            loop.cancel()

            assert (await asyncio.wait([loop], timeout=90))[0], f"it goes on, after {turns} turns"


async def _set_for_ever(redis: AnyRedis, key: str) -> None:
    while True:
        with suppress(*AWAY):
            await redis.set(key, "b", px=1000)
