"""A loopback HTTP server that speaks the API of a judge: scripted answers over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any


@dataclass
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def messages(self) -> list[str]:
        return [message["content"] for message in self.json["messages"]]


@dataclass
class Reply:
    """What goes out. ``released`` holds it back; ``breaks`` ends the connection without a word."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    released: asyncio.Event | None = None
    breaks: bool = False


def chat(content: str | None, **message: Any) -> Reply:
    """A chat completion with this content."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    choice["message"] |= message  # type: ignore[operator]
    return Reply(body=json.dumps({"id": "c", "object": "chat.completion", "choices": [choice]}).encode())


def rated(risk: str, reason: str = "because") -> Reply:
    """A chat completion in the form of the judge's schema."""
    return chat(json.dumps({"risk": risk, "reason": reason}))


class Server:
    """Answers with the replies in turn, the last one again and again; or with what a function says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: list[Reply] = [rated("LOW")]
        self.by: Callable[[Request], Reply] | None = None
        self.in_work = 0
        self.most_at_once = 0
        self.connections = 0
        self.url = ""

    def says(self, *replies: Reply) -> None:
        self.replies = list(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        finally:
            self.connections -= 1
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(head[0].split()[1], headers, body)
        self.requests.append(request)
        self.in_work += 1
        self.most_at_once = max(self.most_at_once, self.in_work)
        try:
            return await self._reply(request, writer)
        finally:
            self.in_work -= 1

    async def _reply(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        reply = self.by(request) if self.by else self.replies[0]
        if not self.by and len(self.replies) > 1:
            del self.replies[0]
        if reply.released:
            await reply.released.wait()
        if reply.breaks:
            return False
        headers = {
            "content-type": "application/json",
            "content-length": str(len(reply.body)),
        } | reply.headers
        lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await writer.drain()
        return True


@asynccontextmanager
async def serving(tls: SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a free port of this machine."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):
            await server.serve(reader, writer)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
