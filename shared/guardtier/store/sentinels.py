"""Sentinels: which server is the master now, asked again for every new connection.

A master that hangs, is replaced and wakes up does not know for seconds that it is none any more. So what
one connection of this process learns counts for all: the others leave the old one before their next word.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis' own

from guardtier.store.address import Address
from guardtier.store.resets import adding

ASK_SECONDS = 1.0  #: a sentinel that takes longer is passed over for the next


def master_pool(address: Address, options: dict[str, Any]) -> ConnectionPool:
    """Connections to the master of ``address.service``. While the sentinels know of none, connecting raises
    MasterNotFoundError, a ConnectionError.
    """
    limits = {name: options[name] for name in ("protocol", "retry")}
    asked = _Sentinels(
        list(address.hosts),
        sentinel_kwargs={
            **limits,
            **address.sentinel_options,
            "socket_connect_timeout": ASK_SECONDS,
            "socket_timeout": ASK_SECONDS,
        },
    )
    named = (address.hosts, address.service)
    service = _SERVICES.get(named) or _SERVICES.setdefault(named, _Service())
    return MasterPool(service, address.service, asked, **options, **address.options)


class _Service:
    """What is known in this process of one service: its master, and who has connections there."""

    def __init__(self) -> None:
        self.master: tuple[str, int] | None = None
        self.pools: WeakSet[MasterPool] = WeakSet()


_SERVICES: WeakValueDictionary[tuple[object, str], _Service] = WeakValueDictionary()


class MasterPool(SentinelConnectionPool):
    """Connections to one service's master."""

    def __init__(self, service: _Service, name: str, asked: Sentinel, **options: Any) -> None:
        super().__init__(name, asked, **options)  # type: ignore[no-untyped-call]
        self.connection_class = adding(_Heeding, self.connection_class)
        self._service = service
        service.pools.add(self)

    def is_current(self, connection: AbstractConnection) -> bool:
        """False for a connection to a server that was master before the one that is known."""
        at = getattr(connection, "host", None), getattr(connection, "port", None)
        return self._service.master in (None, at) or not connection.is_connected

    async def get_master_address(self) -> Any:
        host, port = found = await super().get_master_address()  # type: ignore[no-untyped-call]
        if self._service.master != (host, int(port)):
            self._service.master = host, int(port)
            pools = list(self._service.pools)
            await asyncio.gather(*(pool.disconnect(inuse_connections=False) for pool in pools))
        return found

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Fails for no server that is cut off: TLS says goodbye, and waits for an answer."""
        with suppress(RedisError, OSError):
            await super().disconnect(inuse_connections)


class _Heeding(AbstractConnection):
    """Believes nothing that a server says which was replaced meanwhile. It may have hung with the question,
    and does not know what has happened since: who is told that something is not there gives that up.
    """

    connection_pool: MasterPool

    async def read_response(self, *args: Any, **options: Any) -> Any:
        found = await super().read_response(*args, **options)
        if not self.connection_pool.is_current(self):
            await self.disconnect(nowait=True)
            raise ConnectionError("it is not the master any more")
        return found


class _Sentinels(Sentinel):
    """Holds no connection between two questions: failovers are rare, and nobody would close them.

    One question at a time: redis-py moves the sentinel that answered to the front of its list, and two
    that do so at once lose one of them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._asking = asyncio.Lock()

    async def discover_master(self, service_name: str) -> Any:
        async with self._asking:
            try:
                return await super().discover_master(service_name)
            finally:
                left = [one.connection_pool.disconnect(inuse_connections=False) for one in self.sentinels]
                await asyncio.gather(*left, return_exceptions=True)
