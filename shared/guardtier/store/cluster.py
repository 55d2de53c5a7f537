"""Cluster: a Redis Cluster: redis-py's client, and a wire that follows slots from node to node.

redis-py's asynchronous pipeline runs its commands again one by one where one is redirected, and takes
seconds to look for a master that is gone; here every command may be sent again, so each follows its own
redirection and the caller (``pipe.py``, ``tail.py``) tries again until there is a master.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from redis.asyncio import ConnectionPool, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis' own
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from guardtier.store.address import Address, Host
from guardtier.store.resets import telling, told
from guardtier.store.scripts import source_of
from guardtier.store.slots import SlotMap, slot_of
from guardtier.store.talk import Then
from guardtier.store.wire import Command, SingleWire

HOPS = 5  #: redirections that one command follows before its caller waits
MAP_SECONDS = 2.0  #: a node that takes longer to name the slots is passed over for the next

#: How a node sends a command on: for good (MOVED), or this one only, while the slot is on its way (ASK).
#: Below redis-py 8 plain connections have no classes for these errors.
_REDIRECTED = re.compile(r"(?P<how>MOVED|ASK) \d+ (?P<host>\S*):(?P<port>\d+)")


class Cluster(RedisCluster):
    """redis-py's client of a cluster that remembers how it is reached."""

    def __init__(self, address: Address, options: dict[str, Any]) -> None:
        self.reached_by = address
        self.options = options | address.options | {"socket_keepalive": True}
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        super().__init__(startup_nodes=nodes, **self.options)
        kind: Any = telling(self.connection_kwargs["connection_class"])  # it takes none as an argument
        self.connection_kwargs["connection_class"] = kind  # of nodes that are found later
        for node in self.nodes_manager.startup_nodes.values():
            node.connection_class = kind


class ClusterWire:
    """One connection to each node that is needed, opened when first needed. Not for two callers at once.

    An error of a node, a broken connection to it included, stands in the place of each of its commands.
    """

    def __init__(self, cluster: Cluster, answer_seconds: float, most_bytes: int | None = None) -> None:
        self._options = dict(cluster.options)
        self._most = most_bytes
        if self._options.pop("ssl", False):
            self._options["connection_class"] = SSLConnection
        self._seconds = answer_seconds
        self._map = SlotMap(cluster.reached_by.hosts)
        self._nodes: dict[Host, SingleWire] = {}

    async def round_trip(self, commands: Sequence[Command]) -> list[Any]:
        """Raises ConnectionError where no node says who serves what."""
        trip = _Trip(commands)
        for _ in range(HOPS):
            if self._map.stale:
                await self._refresh()
            trips = self._plan(trip).items()
            await asyncio.gather(*(self._visit(host, which, trip) for host, which in trips))
            self._follow(trip)
            if not trip.left:
                break
        trip.part()
        return trip.replies

    def begin(self, commands: Sequence[Command], then: Then) -> bool:
        """Never: a command may have to follow its slot."""
        return False

    async def close(self) -> None:
        nodes, self._nodes = self._nodes, {}
        for node in nodes.values():
            await node.close()

    def _plan(self, trip: _Trip) -> dict[Host, list[int]]:
        """Which commands go to which node, in their order."""
        found: dict[Host, list[int]] = defaultdict(list)
        for index in trip.left:
            host = trip.asked.get(index) or self._map.owner(trip.slots[index])
            if host is None:
                self._map.stale = True
                why = f"CLUSTERDOWN nobody serves slot {trip.slots[index]}"
                trip.replies[index] = ClusterDownError(why)  # type: ignore[no-untyped-call]
            else:
                found[host].append(index)
        return found

    async def _visit(self, host: Host, which: list[int], trip: _Trip) -> None:
        """Send one node its commands; scripts that it does not have are loaded there and run again."""
        try:
            await self._send(host, which, trip)
            unknown = [index for index in which if isinstance(trip.replies[index], NoScriptError)]
            sources = {source_of(trip.commands[index][1]) for index in unknown} - {None}
            if sources:
                await self._node(host).round_trip([("SCRIPT", "LOAD", source) for source in sources])
                await self._send(host, unknown, trip)
        except (RedisError, TimeoutError, OSError) as error:  # redis-py has a TimeoutError of its own
            self._map.stale = True
            for index in which:
                trip.replies[index] = error

    async def _send(self, host: Host, which: list[int], trip: _Trip) -> None:
        sent: list[Command] = []
        for index in which:
            if index in trip.asked:
                sent.append(("ASKING",))
            sent.append(trip.commands[index])
        replies = iter(await self._node(host).round_trip(sent))
        for index in which:
            if index in trip.asked:
                next(replies)
            reply = trip.replies[index] = next(replies)
            trip.last[index] = host
            if isinstance(reply, ResponseError) and _is_down(reply):
                self._map.stale = True

    def _follow(self, trip: _Trip) -> None:
        """What was redirected is left to be sent, to where it was sent on."""
        left, asked = [], {}
        for index in trip.left:
            found = _redirection(trip.replies[index])
            if found is None:
                continue
            left.append(index)
            for_good, name, port = found
            host = name or trip.last[index][0], port
            if for_good:
                self._map.moved(trip.slots[index], host)
            else:
                asked[index] = host
        trip.left, trip.asked = trip.with_waits(left, asked), asked

    async def _refresh(self) -> None:
        """Ask who serves what, any node: one that is cut off from the rest would not know."""
        hosts = self._map.known
        errors: list[str] = []
        for host in random.sample(hosts, len(hosts)):
            try:
                async with asyncio.timeout(MAP_SECONDS):
                    (slots,) = await self._node(host).round_trip([("CLUSTER", "SLOTS")])
            except (RedisError, TimeoutError, OSError) as error:  # redis-py has a TimeoutError of its own
                errors.append(f"{host[0]}:{host[1]}: {error or type(error).__name__}")
                continue
            if isinstance(slots, ResponseError):
                errors.append(f"{host[0]}:{host[1]}: {slots}")
                continue
            self._map.learn(slots, host)
            await self._forget_others()
            return
        raise ConnectionError(f"no node of the cluster says who serves what: {'; '.join(errors)}")

    async def _forget_others(self) -> None:
        """Close connections to nodes that are no part of it any more."""
        for host in self._nodes.keys() - set(self._map.known):
            await self._nodes.pop(host).close()

    def _node(self, host: Host) -> SingleWire:
        found = self._nodes.get(host)
        if found is None:
            pool: ConnectionPool = told(ConnectionPool(host=host[0], port=host[1], **self._options))
            found = self._nodes[host] = SingleWire(pool, self._seconds, self._most)
        return found


def _redirection(reply: object) -> tuple[bool, str, int] | None:
    """Whether it is for good, and to which host and port; None for what is no redirection."""
    if isinstance(reply, AskError):
        return isinstance(reply, MovedError), str(reply.host), int(reply.port)
    found = _REDIRECTED.fullmatch(str(reply)) if isinstance(reply, ResponseError) else None
    return (found["how"] == "MOVED", found["host"], int(found["port"])) if found else None


def _is_down(error: ResponseError) -> bool:
    return isinstance(error, ClusterDownError) or str(error).startswith("CLUSTERDOWN")


class _Trip:
    """The commands of one round trip: what is still to be sent, and where to."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands
        self.slots: list[int] = []
        for command in commands:
            slot = slot_of(command)
            self.slots.append(slot if slot is not None else self.slots[-1] if self.slots else 0)
        self.replies: list[Any] = [None] * len(commands)
        self.left = list(range(len(commands)))
        self.asked: dict[int, Host] = {}  #: on their way to a node that does not own their slot yet
        self.last: dict[int, Host] = {}

    def with_waits(self, left: list[int], asked: dict[int, Host]) -> list[int]:
        """The WAITs of the slots that are sent on go with them."""
        sent = {self.slots[index]: index for index in left}
        waits = [at for at, of in enumerate(self.commands) if of[0] == "WAIT" and self.slots[at] in sent]
        for at in waits:
            if (host := asked.get(sent[self.slots[at]])) is not None:
                asked[at] = host
        return sorted({*left, *waits})

    def part(self) -> None:
        """WAIT proves nothing of commands that another node ran: while a slot moves, some do."""
        for index, command in enumerate(self.commands):
            if command[0] != "WAIT":
                continue
            if (
                len({self.last.get(at) for at, slot in enumerate(self.slots) if slot == self.slots[index]})
                > 1
            ):
                self.replies[index] = TryAgainError("the slot moves")  # type: ignore[no-untyped-call]
