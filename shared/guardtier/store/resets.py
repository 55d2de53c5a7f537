"""Resets: connections whose sending fails as everybody expects it to.

uvloop raises RuntimeError where something is written to a connection that it has closed meanwhile, which
nobody takes for a broken connection: a worker ended by it, and an agent's request was refused. And redis-py
sends by asyncio.wait_for, which before Python 3.12 loses a cancellation where the send is done already: a
loop that was told to end went on for ever (measured: a third of what was cancelled at random).
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004 - redis' own


def told(pool: ConnectionPool) -> ConnectionPool:
    """The pool, whose connections raise ConnectionError where they were reset, and end where cancelled."""
    pool.connection_class = telling(pool.connection_class)
    return pool


class _Telling(AbstractConnection):
    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        seconds, self.socket_timeout = self.socket_timeout, None  # no wait_for
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await super().send_packed_command(*args, **options)
        except RuntimeError as error:  # it has closed itself already
            raise ConnectionError(f"the connection was reset: {error}") from error
        except OSError as error:  # asyncio's TimeoutError is one
            if not limit.expired():
                raise
            raise TimeoutError("Timeout writing to socket") from error
        finally:
            self.socket_timeout = seconds


_MADE: dict[tuple[type[Any], type[AbstractConnection]], type[AbstractConnection]] = {}


def telling(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """This kind of connection (TCP, TLS, a socket of the file system, a master's), telling."""
    return adding(_Telling, kind)


def adding(ways: type[Any], kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """This kind of connection with these ways. One class for all pools: nobody would forget theirs."""
    if (ways, kind) not in _MADE:
        _MADE[ways, kind] = type(kind.__name__, (ways, kind), {})
    return _MADE[ways, kind]
