"""A loopback SMTP server: takes mails over a real socket, and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default


class SmtpServer:
    """Takes what comes. ``answers`` are given in turn to the ends of mails, "250 ok" after them.

    ``silent``: it takes connections and says nothing.
    """

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: list[str] = []
        self.refused: dict[str, str] = {}  #: recipient → answer
        self.silent = False
        self.lines: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await reader.read()
            return
        to: list[str] = []
        say(writer, "220 here")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.lines.append(line)
            word = line[:4].upper()
            if word == "RCPT":
                name = line.partition("<")[2].partition(">")[0]
                to += [name] if name not in self.refused else []
                say(writer, self.refused.get(name, "250 ok"))
            elif word == "DATA":
                say(writer, "354 go on")
                raw = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
                answer = self.answers.pop(0) if self.answers else "250 ok"
                if answer.startswith("2"):
                    self.mails.append(BytesParser(EmailMessage, policy=default).parsebytes(raw))
                    self.recipients.append(to)
                say(writer, answer)
            elif word == "QUIT":
                say(writer, "221 bye")
                return
            else:
                say(writer, "250 ok")


def say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\r\n".encode())


@asynccontextmanager
async def smtp_serving() -> AsyncIterator[SmtpServer]:
    """A server on a free port of this machine."""
    server = SmtpServer()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        with suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            await server.serve(reader, writer)
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
