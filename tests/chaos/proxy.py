"""Proxy: a TCP proxy whose weather a test makes: what goes through it is cut, held, slow or lost.

As TCP does, it never loses bytes of a connection that goes on: what is held is delivered late, and a
connection that lost something is dead.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Self
from urllib.parse import urlsplit, urlunsplit

CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


@dataclass(frozen=True, slots=True)
class Weather:
    """``up`` is from the client to the server, ``down`` back. Times are in seconds.

    ``delay`` is added to each piece, either way. ``drip``: so many bytes at a time, 2 ms apart. ``hold_up``
    and ``hold_down``: nothing gets through until it clears. ``reset_after``: each connection is reset in
    the middle of a reply, once it has brought some number of bytes up to this one. ``refuse``: nobody can
    connect.
    """

    delay: float = 0.0
    drip: int = 0
    hold_up: bool = False
    hold_down: bool = False
    reset_after: int = 0
    refuse: bool = False


FINE = Weather()
DRIP_SECONDS = 0.002


class Proxy:
    """``async with Proxy(server.url) as proxy``: connect to ``proxy.url``, then set ``proxy.weather``."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._weather = FINE
        self.clear = asyncio.Event()  #: set while nothing is held
        self.resets = 0
        self.random = Random(7)

    async def __aenter__(self) -> Self:
        self.clear.set()
        self._server = await asyncio.start_server(self._open, "127.0.0.1", 0, limit=CHUNK)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*(link.task for link in list(self._links)), return_exceptions=True)

    @property
    def url(self) -> str:
        """The server's URL by way of here."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        secret = f":{self._target.password}@" if self._target.password else ""
        return urlunsplit(self._target._replace(netloc=f"{secret}{host}:{port}"))

    @property
    def weather(self) -> Weather:
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        self.clear.set() if not (weather.hold_up or weather.hold_down) else self.clear.clear()

    def cut(self) -> int:
        """Reset every connection. Returns how many there were."""
        for link in list(self._links):
            link.reset()
        return len(self._links)

    def forget(self) -> int:
        """Half-open: neither end hears of the other any more, and none is told. New ones are fine."""
        for link in self._links:
            link.dead = True
        return len(self._links)

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.refuse:
            _reset(writer)
            return
        try:
            there = await asyncio.open_connection(self._target.hostname, self._target.port, limit=CHUNK)
        except OSError:
            _reset(writer)
            return
        link = _Link(self, (reader, writer), there)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection through the proxy: two pumps, which end together."""

    def __init__(self, proxy: Proxy, here: End, there: End) -> None:
        self._proxy = proxy
        self._here, self._there = here, there
        self._brought = 0
        self._share = proxy.random.random()
        self.dead = False  #: what comes is dropped, and nobody is told
        current = asyncio.current_task()
        assert current is not None
        self.task = current

    async def run(self) -> None:
        up = self._pump(self._here[0], self._there[1], self._up)
        down = self._pump(self._there[0], self._here[1], self._down)
        pumps = [asyncio.create_task(up), asyncio.create_task(down)]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for _, writer in (self._here, self._there):
                writer.close()

    def reset(self) -> None:
        self._proxy.resets += 1
        for _, writer in (self._here, self._there):
            _reset(writer)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passed: Callable[[asyncio.StreamWriter, bytes], Awaitable[None]],
    ) -> None:
        while piece := await reader.read(CHUNK):
            if self._proxy.weather.delay:
                await asyncio.sleep(self._proxy.weather.delay)
            if not self.dead:
                await passed(writer, piece)

    async def _up(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        while self._proxy.weather.hold_up:
            await self._proxy.clear.wait()
        await self._write(writer, piece)

    async def _down(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        while self._proxy.weather.hold_down:
            await self._proxy.clear.wait()
        self._brought += len(piece)
        if 0 < self._proxy.weather.reset_after * self._share < self._brought:
            writer.write(piece[: len(piece) // 2])
            await writer.drain()
            self.reset()
            return
        await self._write(writer, piece)

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        size = self._proxy.weather.drip or len(piece)
        for start in range(0, len(piece), size):
            if start:
                await asyncio.sleep(DRIP_SECONDS)
            writer.write(piece[start : start + size])
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
