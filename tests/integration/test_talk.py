"""What a server says to a wire, in order, in pieces or wrong: the same by hiredis and by redis-py."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from redis.exceptions import BusyLoadingError, ConnectionError, ResponseError  # noqa: A004 - redis' own

from guardtier.store import talk
from guardtier.store.connection import connect, wire_to
from guardtier.store.talk import TooLong
from guardtier.store.wire import Wire
from guardtier_workers.embedded import EmbeddedRedis
from waiting import connected_to, until

LATE_SECONDS = 0.05


@pytest.fixture(params=["hiredis", "redis-py"])
def means(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "redis-py":
        monkeypatch.setattr(talk, "hiredis", None)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, means: None) -> Callable[[Callable[[], Awaitable[None]]], None]:
    def by(test: Callable[[], Awaitable[None]]) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(test())

    return by


@asynccontextmanager
async def deaf() -> AsyncIterator[int]:
    """The port of a server that takes redis-py's greeting, then reads nothing more."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while b"SETINFO" in (data := await reader.read(65536)):
            writer.write(b"+OK\r\n" * data.count(b"SETINFO"))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def saying(
    *replies: bytes, seconds: float = 60.0, at_once: bool = False, most_bytes: int | None = None
) -> AsyncIterator[Wire]:
    """A wire to a server that takes redis-py's greeting, then says one of these a send; b"" hangs up."""
    left = list(replies)
    open_ones: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        while data := await reader.read(65536):
            if b"SETINFO" in data:
                writer.write(b"+OK\r\n" * data.count(b"SETINFO"))
            elif left and left[0]:
                said = left.pop(0)
                for piece in [said] if at_once else [bytes([byte]) for byte in said]:
                    writer.write(piece)
                    await writer.drain()
            elif left:
                left.pop(0)
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    redis = connect(f"redis://127.0.0.1:{port}")
    wire = wire_to(redis, answer_seconds=seconds, most_bytes=most_bytes)
    try:
        yield wire
    finally:
        await wire.close()
        await redis.aclose()
        server.close()
        for writer in open_ones:
            writer.close()


def test_replies_come_in_order_and_errors_in_their_place(
    run: Callable[[Callable[[], Awaitable[None]]], None],
) -> None:
    async def test() -> None:
        async with saying(b"+OK\r\n-NOPERM no\r\n$2\r\nhi\r\n*2\r\n:1\r\n$-1\r\n", b":7\r\n") as wire:
            first, error, text, both = await wire.round_trip([("A",)] * 4)

            assert (first, text, both) == (b"OK", b"hi", [1, None])
            assert isinstance(error, ResponseError)
            assert await wire.round_trip([("B",)]) == [7]

    run(test)


@pytest.mark.parametrize(
    ("said", "means_that"),
    [
        (b"-LOADING it reads its file\r\n", BusyLoadingError),
        (b"", ConnectionError),
        (b"what is this\r\n", Exception),
    ],
)
def test_a_connection_that_is_no_good_is_left(
    run: Callable[[Callable[[], Awaitable[None]]], None], said: bytes, means_that: type[Exception]
) -> None:
    async def test() -> None:
        async with saying(said, b":7\r\n") as wire:
            with pytest.raises(means_that):
                await wire.round_trip([("A",)])

            assert await wire.round_trip([("B",)]) == [7]

    run(test)


def test_a_late_reply_is_none(run: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
    """Nor is it taken for the answer to what is asked next."""

    async def test() -> None:
        async with saying(b"+half", b":7\r\n", seconds=LATE_SECONDS) as wire:
            with pytest.raises(TimeoutError):
                await wire.round_trip([("A",)])

        async with saying(b":7\r\n", b":8\r\n", seconds=60.0) as wire:
            assert await wire.round_trip([("B",)]) == [7]
            assert await wire.round_trip([("C",)]) == [8]

    run(test)


def test_a_call_that_is_cancelled_leaves_nothing_behind(
    run: Callable[[Callable[[], Awaitable[None]]], None], shared_server: EmbeddedRedis
) -> None:
    async def test() -> None:
        async with connect(shared_server.url) as redis:
            await redis.flushall()
            wire = wire_to(redis, answer_seconds=60)
            asking = asyncio.create_task(wire.round_trip([("BLPOP", "nothing", 0)]))
            await until(lambda: _blocked(redis))

            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

            assert await wire.round_trip([("PING",)]) == [b"PONG"]
            await wire.close()
            await until(lambda: _alone(redis))

    run(test)


def test_a_wire_that_nobody_closes_holds_no_connection(
    run: Callable[[Callable[[], Awaitable[None]]], None], shared_server: EmbeddedRedis
) -> None:
    async def test() -> None:
        async with connect(shared_server.url) as redis:
            wire = wire_to(redis, answer_seconds=60)
            await wire.round_trip([("PING",)])

            del wire
            gc.collect()  # redis-py's parser and its connection hold each other

            await until(lambda: _alone(redis))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # redis-py's, who closes it
        run(test)


@pytest.mark.parametrize("ending", ["late", "cancelled", "closed"])
def test_what_a_server_does_not_read_is_not_kept_for_it(
    run: Callable[[Callable[[], Awaitable[None]]], None], ending: str
) -> None:
    async def test() -> None:
        async with deaf() as port:
            wire = wire_to(
                connect(f"redis://127.0.0.1:{port}"),
                answer_seconds=LATE_SECONDS if ending == "late" else 60,
            )
            asking = asyncio.create_task(wire.round_trip([("SET", "a", "x" * 20_000_000)]))
            await until(lambda: asking.done() or connected_to(port))
            if ending == "cancelled":
                asking.cancel()
            elif ending == "closed":
                await wire.close()

            with pytest.raises((ConnectionError, TimeoutError, asyncio.CancelledError)):
                await asking

            await until(lambda: not connected_to(port))

    run(test)


def test_nothing_asked_is_nothing_answered(run: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
    async def test() -> None:
        async with saying(b":7\r\n") as wire:
            assert await wire.round_trip([]) == []
            assert await wire.round_trip([("A",)]) == [7]

    run(test)


async def test_two_at_once_take_no_replies_of_each_other() -> None:
    """By hiredis; redis-py refuses the second reader."""
    async with saying(b":1\r\n:2\r\n", b":3\r\n") as wire:
        assert await wire.round_trip([("A",)] * 2) == [1, 2]
        calls = [wire.round_trip([(name,)]) for name in ("B", "C")]

        found = await asyncio.gather(*calls, return_exceptions=True)

        assert [type(one) for one in found] == [ConnectionError, ConnectionError]


async def test_more_than_was_asked_is_not_believed() -> None:
    """By hiredis alone: redis-py would take it for the next answer."""
    async with saying(b":1\r\n:2\r\n", b":7\r\n", at_once=True) as wire:
        with pytest.raises(ConnectionError):
            await wire.round_trip([("A",)])

        assert await wire.round_trip([("B",)]) == [7]


async def test_no_more_is_taken_than_the_caller_takes() -> None:
    """By hiredis; and the next round trip is one as any other."""
    async with saying(b"$30\r\n" + b"x" * 30 + b"\r\n", b"$3\r\nyes\r\n", most_bytes=20) as wire:
        with pytest.raises(TooLong):
            await wire.round_trip([("A",)])

        assert [await wire.round_trip([("B",)])] == [[b"yes"]]


async def _blocked(redis: Any) -> bool:
    return bool((await redis.info("clients"))["blocked_clients"])


async def _alone(redis: Any) -> bool:
    return len(await redis.client_list()) == 1
