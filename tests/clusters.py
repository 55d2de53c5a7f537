"""Clusters: a real Redis Cluster on loopback, whose slots can be moved and whose masters can be killed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from redis.crc import key_slot
from redis.exceptions import RedisError

from ports import free_port
from servers import PASSWORD, START_SECONDS, Server
from waiting import until_sync

SLOTS = 16384


class Cluster:
    """So many masters, each with as many replicas, each master with an even share of the slots."""

    def __init__(
        self,
        folder: Path,
        *,
        masters: int = 3,
        replicas: int = 0,
        timeout_ms: int = 1000,
        lines: Sequence[str] = (),
    ) -> None:
        common = (
            "cluster-enabled yes",
            f"cluster-node-timeout {timeout_ms}",
            "cluster-replica-validity-factor 0",
            f"masterauth {PASSWORD}",
            "appendonly yes",
            "appendfsync always",
            'save ""',
            "repl-diskless-sync-delay 0",
            *lines,
        )
        self.masters = [
            Server(folder / f"master-{n}", *common, f"cluster-port {free_port()}") for n in range(masters)
        ]
        self.replicas = [
            Server(folder / f"replica-{n}", *common, f"cluster-port {free_port()}")
            for n in range(masters * replicas)
        ]

    @property
    def servers(self) -> list[Server]:
        return [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        return f"redis+cluster://:{PASSWORD}@{','.join(one.at for one in self.servers)}"

    def __enter__(self) -> Self:
        try:
            for one in self.servers:
                one.start(wait=False)
            for one in self.servers:
                until_sync(one.answers, START_SECONDS)
            self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.servers:
            one.kill()

    def id_of(self, server: Server) -> str:
        return str(server.ask("CLUSTER", "MYID").decode())

    def owner_of(self, key: str) -> Server:
        """The master that has this key's slot now, as a live node sees it."""
        slot = key_slot(key.encode())
        for first, last, (_, port, *_more), *_rest in self._slots():
            if first <= slot <= last:
                return next(one for one in self.servers if one.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def move(self, key: str, to: Server) -> int:
        """Move this key's slot, with all keys in it, as redis-cli would; returns how many keys went."""
        slot, source = key_slot(key.encode()), self.owner_of(key)
        self.begin_move(key, to)
        moved = 0
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "AUTH", PASSWORD, "KEYS", *keys)
            moved += len(keys)
        for one in (to, source, *self.masters):
            with suppress(RedisError, OSError):
                one.ask("CLUSTER", "SETSLOT", slot, "NODE", self.id_of(to))
        return moved

    def begin_move(self, key: str, to: Server) -> None:
        """Mark the slot as on its way: keys that are not there any more are asked for at the other end."""
        slot, source = key_slot(key.encode()), self.owner_of(key)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(to))

    def is_whole(self) -> bool:
        """Whether every live node says that the cluster works."""
        with suppress(RedisError, OSError):
            return all(
                b"cluster_state:ok" in _raw(one.ask("CLUSTER", "INFO")) for one in self.servers if one.runs
            )
        return False

    def _slots(self) -> list[list[object]]:
        for one in self.servers:
            with suppress(RedisError, OSError):
                found: list[list[object]] = one.ask("CLUSTER", "SLOTS")
                return found
        raise AssertionError("no node of the cluster answers")

    def _join(self) -> None:
        first, count = self.masters[0], len(self.masters)
        for n, one in enumerate(self.masters):
            one.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS * n // count, SLOTS * (n + 1) // count - 1)
            one.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for one in self.servers[1:]:
            bus = next(
                line.split()[1]
                for line in (one.folder / "redis.conf").read_text().splitlines()
                if line.startswith("cluster-port")
            )
            first.ask("CLUSTER", "MEET", "127.0.0.1", one.port, bus)
        until_sync(
            lambda: all(self._knows(one) == len(self.servers) for one in self.servers), START_SECONDS
        )
        for n, one in enumerate(self.replicas):
            one.ask("CLUSTER", "REPLICATE", self.id_of(self.masters[n % count]))
        until_sync(self.is_whole, START_SECONDS)
        for one in self.replicas:
            until_sync(
                lambda one=one: one.info("replication").get("master_link_status") == "up", START_SECONDS
            )

    def in_step(self) -> bool:
        """Whether every replica that runs has its master's data."""
        with suppress(RedisError, OSError):
            return all(
                one.info("replication").get("master_link_status") == "up"
                for one in self.replicas
                if one.runs and one.info("replication")["role"] == "slave"
            )
        return False

    def _all_know_all(self) -> bool:
        return all(self._knows(one) == len(self.servers) for one in self.servers)

    def _knows(self, server: Server) -> int:
        return sum(b"noaddr" not in line and b"handshake" not in line
                   for line in _raw(server.ask("CLUSTER", "NODES")).splitlines())  # fmt: skip


def _raw(reply: object) -> bytes:
    return reply if isinstance(reply, bytes) else str(reply).encode()
