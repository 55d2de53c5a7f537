"""Serving the console: where it listens, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from guardtier.console_settings import ConsoleSettings
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier_workers.console.access.exposure import check_exposure
from guardtier_workers.console.access.links import Links
from guardtier_workers.console.access.word import left_word
from guardtier_workers.console.app import make_app
from guardtier_workers.console.console import Console

log = logging.getLogger(__name__)

GRACE_SECONDS = 3  #: for requests under way when it ends; streams of events are cut
CONNECTIONS = 2_000  #: at once; more are answered 503


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Listen until ``stop``. Raises ConfigError where it may not, or can't, listen there."""
    async with served(settings) as (_, ended):
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """Listen until the block ends; yields the address, and the task that serves."""
    check_exposure(settings)
    own = settings.console
    with _listening(own) as listening:
        app = make_app(settings)
        server = uvicorn.Server(_config(app, settings))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server._serve([listening]))
        try:
            while not server.started and not task.done():  # noqa: ASYNC110 (uvicorn says it no other way)
                await asyncio.sleep(0.01)
            if task.done():
                task.result()
                raise ConfigError("the console did not start: its errors are above", field="console")
            address = address_at(own, listening.getsockname()[1])
            log.info("console at %s", address)
            with left_word(own.state_dir, address):
                yield address, task
        finally:
            if isinstance(console := getattr(app.state, "console", None), Console):
                console.board.end()
            server.should_exit = True
            if own.state_dir is not None:
                Links(own.state_dir).forget_all()
            await asyncio.gather(task, return_exceptions=True)


def address_at(own: ConsoleSettings, port: int) -> str:
    """What a browser on this machine opens."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(own.host, own.host)  # noqa: S104 (compared)
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if own.tls_key else 'http'}://{host}:{port}/"


@contextmanager
def _listening(own: ConsoleSettings) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in own.host else socket.AF_INET
        listening = socket.create_server((own.host, own.port), family=family, backlog=256)
    except OSError as error:
        raise ConfigError(
            f"the console can't listen on {own.host}:{own.port}: {error}", field="console.port"
        ) from error
    with listening:
        # asyncio sets it only where a socket names its protocol: an answer took 48 ms, and takes 2.5
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening


def _config(app: Starlette, settings: Settings) -> uvicorn.Config:
    own = settings.console
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=CONNECTIONS,
        proxy_headers=bool(own.proxies),
        forwarded_allow_ips=[str(network) for network in own.proxies],
        ssl_certfile=own.tls_certificate,
        ssl_keyfile=own.tls_key,
        ssl_keyfile_password="-",  # noqa: S106 - else OpenSSL asks the terminal for that of a locked key
        h11_max_incomplete_event_size=64 * 1024,
        http="h11",
        ws="none",
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"the certificate or its key can't be used ({error}): console.tls_certificate is a PEM file "
            "with the whole chain, console.tls_key its key without a password",
            field="console.tls_certificate",
        ) from error
    return config
