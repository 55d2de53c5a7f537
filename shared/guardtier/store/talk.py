"""Talk: commands out and replies in, over a connection that redis-py has opened.

redis-py opens and closes it (address, TLS, credentials, database). Its own sending and reading are a task's
turn, a timer and some forty calls a round trip; here the transport speaks to one protocol, which hands the
bytes to hiredis. Measured: see docs/performance.md.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - redis' own

try:
    import hiredis
except ImportError:  # the base client may be installed without it
    hiredis = None  # type: ignore[assignment]

#: Called once: with the replies and None, or with none and the error.
Then = Callable[[list[Any], Exception | None], None]

_MORE: Final = object()  #: what the reader gives where a reply is not whole yet


class TooLong(ConnectionError):
    """What came in reply is more than the caller takes: the rest of it is not read."""


def talk_over(connection: AbstractConnection, seconds: float, most_bytes: int | None = None) -> Talk:
    """What to speak with over an open connection. A reply that takes longer than ``seconds`` is late.

    ``most_bytes``: the most that is taken in reply to one exchange; by redis-py's means, there is no limit.
    """
    writer = getattr(connection, "_writer", None)
    parse_error = getattr(getattr(connection, "_parser", None), "parse_error", None)
    if hiredis is None or parse_error is None or connection.encoder.decode_responses:
        return _ByRedisPy(connection, seconds)
    if not isinstance(writer, asyncio.StreamWriter):
        return _ByRedisPy(connection, seconds)
    return Direct(seconds, writer.transport, parse_error, most_bytes)


class Talk(Protocol):
    """Speaks over one connection. Not for two callers at once."""

    async def exchange(self, packed: bytes, replies: int) -> list[Any]:
        """Send commands and return so many replies; an error that Redis answers is one of them.

        Raises redis-py's errors for a broken connection, and TimeoutError: whoever calls closes it then.
        """

    def end(self) -> None:
        """The connection is about to be closed. Where a reply is missing it is cut: who does not answer may
        not read either, and what it was not sent yet would be kept for it.
        """


class _ByRedisPy:
    """By redis-py's own means: where hiredis is not installed, or the connection is of another make."""

    def __init__(self, connection: AbstractConnection, seconds: float) -> None:
        self._connection, self._seconds = connection, seconds
        self._transport = getattr(getattr(connection, "_writer", None), "transport", None)
        self._waits = False

    async def exchange(self, packed: bytes, replies: int) -> list[Any]:
        self._waits = True
        async with asyncio.timeout(self._seconds):
            await self._connection.send_packed_command(packed, check_health=False)
            found = [await self._reply() for _ in range(replies)]
        self._waits = False
        return found

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error

    def end(self) -> None:
        if self._waits and self._transport is not None:
            self._transport.abort()


class Direct(asyncio.Protocol):
    """The protocol of the connection's transport, in place of redis-py's stream.

    One timer serves all exchanges: it is set anew only when it fires, and then for the one under way.
    It does not hold redis-py's connection, which closes itself where nobody else does: the loop holds this.
    """

    def __init__(
        self, seconds: float, transport: Any, parse_error: Any, most_bytes: int | None = None
    ) -> None:
        self._seconds = seconds
        self._most = most_bytes or sys.maxsize
        self._room = 0  #: bytes that may still come
        self._reader = hiredis.Reader(
            protocolError=ConnectionError, replyError=parse_error, notEnoughData=_MORE
        )
        self._loop = asyncio.get_running_loop()
        self._then: Then | None = None
        self._replies: list[Any] = []
        self._left = 0
        self._late_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = ""  #: why; not the error itself, whose traceback holds what was sent
        self._transport = transport
        self._stream = transport.get_protocol()  # redis-py waits for the end by it
        transport.set_protocol(self)

    async def exchange(self, packed: bytes, replies: int) -> list[Any]:
        if not replies:
            return []
        waiter: asyncio.Future[list[Any]] = self._loop.create_future()

        def settle(found: list[Any], error: Exception | None) -> None:
            if waiter.done():
                return
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(found)

        self.begin(packed, replies, settle)
        return await waiter

    def begin(self, packed: bytes, replies: int, then: Then) -> None:
        """Send commands; ``then`` is called with their replies, or with what :meth:`exchange` would raise.

        Raises ConnectionError where nothing can be sent any more; ``then`` is not called in that case.
        """
        if self._then is not None:  # each would take the other's replies
            self._lose(ConnectionError("two spoke over one connection at once"))
        if self._lost:
            raise ConnectionError(f"the connection was lost: {self._lost}")
        self._left, self._room = replies, self._most
        self._late_at = self._loop.time() + self._seconds
        try:
            if self._timer is None:
                self._timer = self._loop.call_at(self._late_at, self._look)
            self._transport.write(packed)
        except RuntimeError as error:  # uvloop's, where the connection, or its loop, was closed meanwhile
            self._lost = self._lost or f"{error}"
            raise ConnectionError(f"the connection was reset: {error}") from error
        self._then = then

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._lose(ConnectionError("the connection is closed"))
        if self._left:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._room -= len(data)
            if self._room < 0:
                raise TooLong(f"a reply of more than {self._most} bytes")
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _MORE:
                if isinstance(reply, ConnectionError):  # LOADING, and others that redis-py raises
                    raise reply
                if self._left == 0:
                    raise ConnectionError("Redis said more than it was asked")
                self._replies.append(reply)
                self._left -= 1
        except Exception as error:  # also what is no reply at all, or an error that redis-py can't read
            self._lose(error)
            return
        if self._left == 0:
            self._settle()

    def eof_received(self) -> bool | None:
        self._lose(ConnectionError("Connection closed by server."))
        end: bool | None = self._stream.eof_received()
        return end

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._lose(exc or ConnectionError("Connection closed by server."))
        self._stream.connection_lost(exc)

    def _settle(self) -> None:
        then, self._then = self._then, None
        replies, self._replies = self._replies, []  # an idle connection holds none
        if then is not None:
            then(replies, None)

    def _lose(self, error: Exception) -> None:
        """Nothing that comes from now on is believed; who waits is told, and closes the connection."""
        self._lost = self._lost or f"{error}" or type(error).__name__
        then, self._then = self._then, None
        if then is not None:
            then([], error)

    def _look(self) -> None:
        """Whether the exchange under way is late."""
        self._timer = None
        if self._then is None:
            return
        if self._loop.time() < self._late_at:
            self._timer = self._loop.call_at(self._late_at, self._look)
        else:
            self._lose(TimeoutError(f"no answer within {self._seconds:g} s"))
