"""Serving the console: where it listens, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import uvicorn

from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier_workers.console.app import make_app
from guardtier_workers.console.console import Console

log = logging.getLogger(__name__)

GRACE_SECONDS = 3  #: for requests under way when it ends; streams of events are cut


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Listen until ``stop``. Raises ConfigError where it may not, or can't, listen there."""
    async with served(settings) as (_, ended):
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """Listen until the block ends; yields the address, and the task that serves."""
    own = settings.console
    check_exposure(settings)
    try:
        listening = socket.create_server((own.host, own.port), backlog=256)
    except OSError as error:
        raise ConfigError(
            f"the console can't listen on {own.host}:{own.port}: {error}", field="console.port"
        ) from error
    app = make_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=False,
        ssl_certfile=own.tls_certificate,
        ssl_keyfile=own.tls_key,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve([listening]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 (uvicorn says it no other way)
            await asyncio.sleep(0.01)
        if task.done():
            task.result()
            raise ConfigError("the console did not start: its errors are above", field="console")
        port = listening.getsockname()[1]
        address = f"{'https' if own.tls_key else 'http'}://{own.host}:{port}/"
        log.info("console at %s", address)
        yield address, task
    finally:
        if isinstance(console := getattr(app.state, "console", None), Console):
            console.board.end()
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listening.close()


def check_exposure(settings: Settings) -> None:
    """Raise ConfigError where everybody on a network could look without signing in."""
    own = settings.console
    if own.open_to_viewers and (own.proxies or not is_loopback(own.host)):
        raise ConfigError(
            "console.open_to_viewers lets anybody look, so it is for a console on loopback that no proxy "
            "stands before: unset it, or set console.host to 127.0.0.1 and leave console.proxies out",
            field="console.open_to_viewers",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. A name other than localhost may be anything."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
