"""What an orchestrator asks a worker. ``/livez``: 200 while its process answers. ``/healthz``: 503 while
it is not well, which also says that Redis is away; a restart would not mend that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson

from guardtier.errors import ConfigError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
REQUEST_BYTES = 8 * 1024
REQUEST_SECONDS = 5.0  #: for all of a request, so that a slow sender holds nothing
CONNECTIONS = 32  #: at once; more are turned away

Health = Callable[[], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def health_server(health: Health, *, host: str, port: int) -> AsyncIterator[int]:
    """Answer ``GET /healthz`` with what ``health`` says, as JSON, and ``GET /livez``; yields the port
    (0: any free one).

    Raises ConfigError where the port can't be had.
    """
    answering: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        answering.add(task)
        try:
            if len(answering) <= CONNECTIONS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    writer.write(await _answer(reader, health))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked so has no use for an answer
        finally:
            answering.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    try:
        server = await asyncio.start_server(serve, host, port, limit=REQUEST_BYTES)
    except OSError as error:
        raise ConfigError(
            f"/healthz can't be served on {host}:{port}: {error}", field="health_port"
        ) from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in answering:
            task.cancel()


async def _answer(reader: asyncio.StreamReader, health: Health) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if path not in (b"/healthz", b"/livez"):
        return _response("404 Not Found", {"error": "there is /healthz and /livez, and nothing else"})
    if method not in (b"GET", b"HEAD"):
        return _response("405 Method Not Allowed", {"error": "only GET"})
    try:
        body = await health() if path == b"/healthz" else {"ok": True}
    except Exception as error:
        log.warning("the health check failed: %r", error)
        body = {"ok": False, "error": type(error).__name__}
    response = _response("200 OK" if body.get("ok") else "503 Service Unavailable", body)
    return response if method == b"GET" else response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _response(status: str, body: dict[str, Any]) -> bytes:
    content = orjson.dumps(body)
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
