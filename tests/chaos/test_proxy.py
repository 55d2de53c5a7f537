"""The proxy does to connections what its weather says, so that a fault which is survived was one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import ClassVar

import pytest

from chaos.proxy import FINE, Proxy, Weather

HELD = Weather(hold_up=True), Weather(hold_down=True)


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """A server that sends each line back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, limit=1 << 20)
    async with server:
        yield f"redis://:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with echoing() as url, Proxy(url) as made:
        yield made
        for line in Line.opened:
            line.writer.close()
        Line.opened.clear()


class Line:
    """One connection through a proxy."""

    opened: ClassVar[list[Line]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    async def said(self, text: bytes, within: float = 5.0) -> bytes:
        """What comes back; raises TimeoutError where nothing does."""
        self.writer.write(text)
        async with asyncio.timeout(within):
            return await self.reader.readline()


async def call(proxy: Proxy) -> Line:
    port = int(proxy.url.rpartition(":")[2].partition("/")[0])
    return Line(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))


async def test_in_fine_weather_everything_gets_through(proxy: Proxy) -> None:
    assert proxy.url.startswith("redis://:secret@127.0.0.1:")
    assert await (await call(proxy)).said(b"x" * 100_000 + b"\n") == b"x" * 100_000 + b"\n"


async def test_a_cut_resets_what_is_open_and_refusal_what_is_new(proxy: Proxy) -> None:
    line = await call(proxy)
    assert await line.said(b"a\n") == b"a\n"

    proxy.weather = Weather(refuse=True)
    proxy.cut()

    with pytest.raises(ConnectionError):
        await line.said(b"b\n")
    with pytest.raises(ConnectionError):
        await (await call(proxy)).said(b"c\n")


@pytest.mark.parametrize("weather", HELD)
async def test_what_is_held_comes_late_and_whole(proxy: Proxy, weather: Weather) -> None:
    line = await call(proxy)
    proxy.weather = weather
    with pytest.raises(TimeoutError):
        await line.said(b"a\n", within=0.1)

    proxy.weather = FINE

    assert await line.said(b"b\n") == b"a\n"
    assert await line.said(b"") == b"b\n"


async def test_a_half_open_connection_says_nothing_while_a_new_one_works(proxy: Proxy) -> None:
    line = await call(proxy)
    assert await line.said(b"a\n") == b"a\n"

    assert proxy.forget() == 1

    with pytest.raises(TimeoutError):
        await line.said(b"b\n", within=0.1)
    assert await (await call(proxy)).said(b"c\n") == b"c\n"


async def test_a_reset_comes_in_the_middle_of_a_reply(proxy: Proxy) -> None:
    proxy.weather = Weather(reset_after=100)
    line = await call(proxy)

    with pytest.raises(ConnectionError):
        await line.said(b"x" * 1000 + b"\n")

    assert proxy.resets == 1


async def test_drops_and_delays_change_no_byte(proxy: Proxy) -> None:
    proxy.weather = Weather(delay=0.01, drip=7)

    assert await (await call(proxy)).said(b"0123456789" * 5 + b"\n") == b"0123456789" * 5 + b"\n"
