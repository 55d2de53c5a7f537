"""A master is lost and a replica takes its place, by Sentinel or in a cluster; a slot moves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaos.credentials import embedded, role_lines
from chaos.durability import up
from chaos.lossy import UNKNOWN, told_of_what_is_gone
from chaos.scenario import Outcome, Place, Scenario
from clusters import Cluster
from guardtier.store.keys import Keys
from servers import Replicated, Server
from waiting import until

FAILOVER_SECONDS = 60.0
PARTITIONS = 3


async def master_killed(folder: Path) -> Outcome:
    """Sentinels promote a replica; agents ask for replicas=1: nothing that ran is forgotten."""
    with Replicated(folder / "redis", replicas=2, lines=role_lines()) as servers:
        async with Place(servers.url, folder) as place:
            await place.workers()
            async with place.load(replicas=1) as load:
                await load.more(400)
                servers.master.kill()
                await _other_than(servers, servers.master)
                await load.more(400)
                await up(servers.master)  # as a replica: the sentinels see to it
                await load.more(200)
            outcome = await place.outcome(load, lossy=True, may_fail=UNKNOWN)
            return await told_of_what_is_gone(place, load, outcome, kept=True)


async def master_frozen(folder: Path) -> Outcome:
    """A master hangs until its replica was promoted, then goes on as if nothing had been; replicas=1."""
    with Replicated(folder / "redis", replicas=2, lines=role_lines()) as servers:
        async with Place(servers.url, folder) as place:
            await place.workers()
            async with place.load(replicas=1) as load:
                await load.more(400)
                servers.master.pause()
                await _other_than(servers, servers.master)
                await load.more(200)
                servers.master.go_on()
                await load.more(400)
            outcome = await place.outcome(load, lossy=True, may_fail=UNKNOWN)
            return await told_of_what_is_gone(place, load, outcome, kept=True)


async def replica_behind(folder: Path) -> Outcome:
    """The replica that is promoted has not heard of the last actions: they are unknown, none runs twice."""
    with Replicated(folder / "redis", lines=role_lines()) as servers:
        async with Place(servers.url, folder) as place:
            await place.workers()
            async with place.load() as load:
                await load.more(400)
                servers.replicas[0].kill()
                await load.more(200)
                servers.master.kill()
                servers.replicas[0].start()  # with what it had when it was killed
                await _other_than(servers, servers.master)
                await load.more(400)
            outcome = await place.outcome(load, lossy=True, may_fail=UNKNOWN)
            assert outcome.report.gone, "the replica was not behind"
            return await told_of_what_is_gone(place, load, outcome)


async def cluster_master_killed(folder: Path) -> Outcome:
    """A Redis Cluster of 3 masters, 3 partitions: the master of one is killed; replicas=1."""
    lines = role_lines()
    with Cluster(folder / "redis", replicas=1, lines=lines) as cluster, embedded() as arq:
        async with Place(cluster.url, folder, partitions=PARTITIONS, arq_url=arq.url) as place:
            await place.workers()
            async with place.load(replicas=1) as load:
                await load.more(400)
                victim = cluster.owner_of(Keys(0).audit)
                victim.kill()
                await until(lambda: asyncio.to_thread(cluster.is_whole), FAILOVER_SECONDS)
                await up(victim)  # as a replica: until then nothing is released where there is none
                await load.more(400)
            outcome = await place.outcome(load, lossy=True, may_fail=UNKNOWN)
            return await told_of_what_is_gone(place, load, outcome, kept=True)


async def slot_moved(folder: Path) -> Outcome:
    """A Redis Cluster of 3 masters: a partition's slot goes around all of them while its agents ask."""
    with Cluster(folder / "redis", lines=role_lines()) as cluster, embedded() as arq:
        async with Place(cluster.url, folder, partitions=PARTITIONS, arq_url=arq.url) as place:
            await place.workers()
            moved = 0
            async with place.load() as load:
                for _ in range(3):
                    await load.more(300)
                    key = Keys(0).audit
                    at = cluster.masters.index(cluster.owner_of(key))
                    moved += await asyncio.to_thread(cluster.move, key, cluster.masters[at - 1])
                await load.more(300)
            return await place.outcome(load, f"{moved} keys moved")


async def _other_than(servers: Replicated, old: Server) -> None:
    """Wait until the sentinels have made another server master."""

    def promoted() -> bool:
        leader = servers.leader()
        return leader is not None and leader is not old

    await until(lambda: asyncio.to_thread(promoted), FAILOVER_SECONDS)


SCENARIOS = (
    Scenario("master-killed", master_killed, 30),
    Scenario("master-frozen", master_frozen, 45),
    Scenario("replica-behind", replica_behind, 30),
    Scenario("cluster-master-killed", cluster_master_killed, 30),
    Scenario("cluster-slot-moved", slot_moved, 30),
)
