"""Servers that are cut off, as by a cable that is pulled: nothing comes back, not even a refusal."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guardtier.store import connection
from guardtier.store.connection import connect, is_away, wire_to
from waiting import connected_to, until

GOODBYE_SECONDS = 0.05  #: that closing waits
REPLY = b"+OK\r\n"


@contextmanager
def unreachable() -> Iterator[int]:
    """A port that takes no connection and refuses none: its queue is full, so the kernel drops them."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        queued = [socket.socket() for _ in range(3)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in queued:
            one.close()


@asynccontextmanager
async def node_that_knows(masters: list[int]) -> AsyncIterator[int]:
    """The port of a node of a cluster. It says that the upper half of the slots ("a") is with the first of
    ``masters``, which it takes off; once there is none left, with itself, as the lower half is ("b").
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b"SETINFO" in data:
                writer.write(b"+OK\r\n" * data.count(b"SETINFO"))
            elif b"SLOTS" in data:
                upper = masters.pop(0) if masters else port
                writer.write(b"*2\r\n" + _slots(0, 8191, port) + _slots(8192, 16383, upper))
            else:
                writer.write(b"$2\r\nhi\r\n" * data.count(b"GET"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield port


def _slots(first: int, last: int, port: int) -> bytes:
    return b"*3\r\n:%d\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % (first, last, port)


async def test_a_wire_asks_again_who_serves_what_where_a_node_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another was made master meanwhile; nobody but the nodes can say so."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 1.0)
    with unreachable() as gone:
        async with node_that_knows([gone]) as port:
            wire = wire_to(connect(f"redis+cluster://127.0.0.1:{port}"), answer_seconds=60)
            lost, found = await wire.round_trip([("GET", "a"), ("GET", "b")])
            assert is_away(lost)
            assert found == b"hi"  # the slots of the others are not held up

            assert await wire.round_trip([("GET", "a")]) == [b"hi"]

            await wire.close()


async def test_closing_waits_for_no_goodbye(tmp_path: Path) -> None:
    """TLS has one, which a server that is cut off does not say: whoever closes is told of no failure."""
    async with _silent(_served(tmp_path)) as port:
        wire = wire_to(connect(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none"), answer_seconds=60)
        assert await wire.round_trip([("PING",)]) == [b"OK"]
        wire._connection.socket_connect_timeout = GOODBYE_SECONDS  # type: ignore[attr-defined]

        await wire.close()

        await until(lambda: not connected_to(port))


async def test_a_new_master_is_found_though_the_old_one_says_no_goodbye(tmp_path: Path) -> None:
    """All connections of this process leave the old one, whoever has them."""
    context = _served(tmp_path)
    async with (
        _answering(context) as new,
        _sentinel(context, new) as (sentinel, masters),
        _silent(context) as old,
    ):
        masters.append(old)
        url = f"rediss+sentinel://127.0.0.1:{sentinel}/tier?ssl_cert_reqs=none"
        first, second = connect(url), connect(url)
        for one in (first, second):
            assert await one.execute_command("ECHO", "a")
            (held,) = one.connection_pool._available_connections  # type: ignore[union-attr]
            held.socket_connect_timeout = GOODBYE_SECONDS
        masters.pop()

        wire = wire_to(first, answer_seconds=60)
        assert await wire.round_trip([("PING",)]) == [b"OK"]

        assert await second.execute_command("ECHO", "a")
        (held,) = second.connection_pool._available_connections  # type: ignore[union-attr]
        assert held.port == new
        await wire.close()
        for one in (first, second):
            await one.aclose()


@asynccontextmanager
async def _silent(context: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a TLS server that answers each connection's greeting and one command, then no more."""
    held: list[ssl.SSLSocket] = []

    def serve() -> None:
        with suppress(OSError):  # it is closed: the end
            while True:
                one = context.wrap_socket(server.accept()[0], server_side=True)
                held.append(one)
                while b"SETINFO" in (data := one.recv(65536)):
                    one.sendall(REPLY * data.count(b"SETINFO"))
                one.sendall(REPLY)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield port
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for one in held:
        one.close()
    await until(lambda: not connected_to(port))


@asynccontextmanager
async def _answering(
    context: ssl.SSLContext, say: Callable[[bytes], bytes] = lambda _: REPLY
) -> AsyncIterator[int]:
    """The port of a TLS server that answers its greeting, and then ``say`` of what it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(REPLY * data.count(b"SETINFO") if b"SETINFO" in data else say(data))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def _sentinel(context: ssl.SSLContext, master: int) -> AsyncIterator[tuple[int, list[int]]]:
    """The port of a sentinel, and the masters that it knows: the last is the one."""
    masters = [master]

    def say(_data: bytes) -> bytes:
        state = ("name", "tier", "ip", "127.0.0.1", "port", str(masters[-1]), "flags", "master")
        told = (*state, "num-other-sentinels", "0", "num-slaves", "0", "quorum", "1")
        texts = b"".join(b"$%d\r\n%s\r\n" % (len(one), one.encode()) for one in told)
        return b"*1\r\n*%d\r\n%s" % (len(told), texts)

    async with _answering(context, say) as port:
        yield port, masters


def _served(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    return context


def _certificate(folder: Path) -> Path:
    """A file with a key and its own certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(text + signed.public_bytes(serialization.Encoding.PEM))
    return file
