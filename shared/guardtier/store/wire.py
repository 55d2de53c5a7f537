"""Wire: many commands in one round trip, over one connection that is held for the purpose.

redis-py's pipeline takes a connection from its pool, polls it and packs every argument in Python for
each batch: about 60 µs, and 15 µs a command. Ours holds the connection and packs with hiredis where it
is installed (1 µs a command). ``cluster.py`` holds one of these for each node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, ReadOnlyError, RedisError  # noqa: A004 - redis' own

from guardtier.store.talk import Direct, Talk, Then, talk_over

Command = Sequence[Any]


class Wire(Protocol):
    """Sends commands in order; an error that Redis answers is returned in its place."""

    async def round_trip(self, commands: Sequence[Command]) -> list[Any]: ...

    async def close(self) -> None: ...

    def begin(self, commands: Sequence[Command], then: Then) -> bool: ...


class SingleWire:
    """One connection to one server. Not for two callers at once.

    A round trip that takes longer than ``answer_seconds`` (to open it may take as long besides), or that
    brings more than ``most_bytes``, breaks it. So does a server that says it is no master (any more): the
    next connection goes to whoever is, where name or sentinels say so.
    """

    def __init__(self, pool: ConnectionPool, answer_seconds: float, most_bytes: int | None = None) -> None:
        self._pool, self._most = pool, most_bytes
        self._is_current: Callable[[AbstractConnection], bool] = getattr(pool, "is_current", _always)
        self._seconds = answer_seconds
        self._connection: AbstractConnection | None = None
        self._talk: Talk | None = None

    async def round_trip(self, commands: Sequence[Command]) -> list[Any]:
        """Raises what redis-py raises for a connection, TooLong among it, and TimeoutError; all leave it
        closed.
        """
        if self._connection is not None and not self._is_current(self._connection):
            await self.close()
        connection = self._connection or self._open()
        try:
            talk = self._talk
            if talk is None or not connection.is_connected:
                talk = await self._connected(connection)
            replies = await talk.exchange(_join_packed(commands), len(commands))
            if not self._is_current(connection):  # it may have hung with the question, and knows no better
                raise ConnectionError("it is not the master any more")
        except BaseException:
            self._forget()
            await connection.disconnect(nowait=True)
            raise
        if self._connection is not connection:  # closed while it was opened: nobody else knows of it
            talk.end()
            await connection.disconnect(nowait=True)
        elif any(isinstance(reply, ReadOnlyError) for reply in replies):
            await self.close()
        return replies

    def begin(self, commands: Sequence[Command], then: Then) -> bool:
        """Send without a task's turn, where the connection is open. False where nothing was sent.

        After an error the next round trip, or :meth:`close`, leaves the connection.
        """
        connection, talk = self._connection, self._talk
        if connection is None or not isinstance(talk, Direct):
            return False
        if not connection.is_connected or not self._is_current(connection):
            return False

        def settle(replies: list[Any], error: Exception | None) -> None:
            if error is None and not self._is_current(connection):
                then([], ConnectionError("it is not the master any more"))
            else:
                then(replies, error)

        try:
            talk.begin(_join_packed(commands), len(commands), settle)
        except ConnectionError:
            return False
        return True

    def _open(self) -> AbstractConnection:
        """A connection without a time limit of its own: redis-py spends a task on each send there."""
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        connection.socket_timeout = None
        self._connection = connection
        return connection

    async def _connected(self, connection: AbstractConnection) -> Talk:
        if not connection.is_connected:  # redis-py 8 would send without asking the sentinels
            async with asyncio.timeout(self._seconds):
                await connection.connect()  # type: ignore[no-untyped-call]
        talk = talk_over(connection, self._seconds, self._most)
        if self._connection is connection:
            self._talk = talk
        return talk

    async def close(self) -> None:
        """Close what is open; the next round trip opens another."""
        connection = self._connection
        self._forget()
        if connection is None:
            return
        writer = getattr(connection, "_writer", None)
        try:
            await connection.disconnect()
        except (RedisError, OSError):  # TLS says goodbye first, and a server may not answer that
            if writer is not None:
                writer.transport.abort()

    def _forget(self) -> None:
        talk, self._connection, self._talk = self._talk, None, None
        if talk is not None:
            talk.end()


def _always(_connection: AbstractConnection) -> bool:
    return True


def entries_of(reply: Any) -> list[tuple[bytes, dict[bytes, bytes] | None]]:
    """The entries of one stream: as Redis sends them, or as redis-py has parsed them already."""
    found: list[tuple[bytes, dict[bytes, bytes] | None]] = []
    for entry, fields in reply:
        if isinstance(fields, list):
            pairs = iter(fields)
            fields = dict(zip(pairs, pairs, strict=True))  # noqa: PLW2901
        found.append((entry, fields))
    return found


def _packed_by_hiredis(commands: Iterable[Command]) -> bytes:
    return b"".join([pack_command(tuple(command)) for command in commands])


def _packed_in_python(commands: Iterable[Command]) -> bytes:
    """RESP by hand: an array of bulk strings."""
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for arg in command:
            text = arg if isinstance(arg, bytes) else str(arg).encode()
            parts += (b"$%d\r\n" % len(text), text, b"\r\n")
    return b"".join(parts)


try:
    from hiredis import pack_command
except ImportError:  # the base client may be installed without it
    _join_packed = _packed_in_python
else:
    _join_packed = _packed_by_hiredis
