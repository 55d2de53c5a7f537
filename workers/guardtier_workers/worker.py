"""One worker as a process: ``python -m guardtier_workers.worker analyzer``, or ``guardtier worker``.

It imports neither typer nor rich, so that a process of many stays small.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardtier.errors import ConfigError, GuardtierError
from guardtier.settings import Settings
from guardtier.store.connection import is_away, refuses_credential, refuses_writes
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.health import LOOPBACK, Health, health_server
from guardtier_workers.logs import log_to_stderr
from guardtier_workers.policy import PolicyWorker

if TYPE_CHECKING:
    import arq

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0  #: before a steward that lost Redis tries again
LEFT_SECONDS = 1.0  #: for tasks that are told to end when all else has ended


class Kind(StrEnum):
    """The daemons that there are."""

    analyzer = "analyzer"
    policy = "policy"
    steward = "steward"
    pool = "pool"  #: the workers of one pool of analyzers, by its name
    console = "console"  #: the page on which people answer, and its API


@dataclass(frozen=True, slots=True)
class HealthAt:
    """Where to serve ``/healthz``; no port: nowhere."""

    port: int | None = None
    host: str = LOOPBACK


def main(argv: Sequence[str] | None = None) -> int:
    """Run one worker until SIGTERM or SIGINT. Returns the exit code: 0, or 2 for bad settings."""
    options = _parser().parse_args(argv)
    log_to_stderr(level=options.log_level.upper())
    given = {"redis_url": options.redis_url} if options.redis_url else {}
    try:
        settings = Settings.load(options.config, **given)
        health = HealthAt(options.health_port, options.health_host)
        serve(options.kind, settings, health, pool=options.pool)
    except GuardtierError as error:
        print(f"guardtier: {error.message}", file=sys.stderr)
        return 2
    return 0


def serve(
    kind: str, settings: Settings, health: HealthAt | None = None, *, pool: str | None = None
) -> None:
    """Run a worker of this kind in this process until it is told to end, then let it drain.

    ``pool`` names the pool of a ``pool`` worker. Raises ConfigError.
    """
    if (kind == Kind.pool) != (pool is not None):
        raise ConfigError("a pool has a name: worker pool NAME; no other worker has one", field="pool")
    if kind == Kind.console and health is not None and health.port is not None:
        raise ConfigError(
            "the console answers /healthz and /readyz at its own address: leave --health-port out",
            field="health_port",
        )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for every question to a judge
    _runner()(_serve(kind, settings, health or HealthAt(), pool))


async def _serve(kind: str, settings: Settings, health: HealthAt, pool: str | None) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with AsyncExitStack() as parts:
        work, is_well = await _made(kind, settings, parts, pool)
        gc.freeze()  # measured: 30 µs an action less than with the rules' tables under collection
        if health.port is not None:
            port = await parts.enter_async_context(
                health_server(is_well, host=health.host, port=health.port)
            )
            log.info("health at http://%s:%d/healthz", health.host, port)
        log.info("%s worker starts", kind)
        try:
            await work(stop)
        except Exception as error:
            log.exception("the %s worker ends", kind)
            await _end_what_is_left(1)
            if refuses_credential(error):
                raise ConfigError(
                    f"Redis refuses something to this {kind} worker's credential (see ACL LOG): is its "
                    "role of this version, and for these partitions? guardtier acl file, docs/roles.md",
                    field="redis_url",
                ) from error
            raise
    await _end_what_is_left(0)


async def _end_what_is_left(code: int) -> None:
    """Tasks that an analyzer left behind are told to end. One that does not listen is not waited for."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if not left or not (await asyncio.wait(left, timeout=LEFT_SECONDS))[1]:
        return
    log.warning("an analyzer still runs and does not listen: ending without it")
    logging.shutdown()
    os._exit(code)


Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Ending = Coroutine[Any, Any, None]


async def _made(
    kind: str, settings: Settings, parts: AsyncExitStack, pool: str | None
) -> tuple[Work, Health]:
    if pool is not None:
        return await _pool_worker(settings, parts, pool)
    if kind == "analyzer":
        # Here, so that the others do without what rates: 16 MB.
        from guardtier_workers.analyzer import AnalyzerWorker
        from guardtier_workers.warm import warm

        analyzer = AnalyzerWorker(settings)
        warm(analyzer.ensemble)
        return _stream_worker(analyzer)
    if kind == "console":
        return _console(settings)
    # Here, so that an analyzer worker does without arq.
    from guardtier_workers.steward import Deadlines, Steward, arq_worker
    from guardtier_workers.trail.exporting import exporters

    deadlines = Deadlines(settings)
    parts.push_async_callback(deadlines.close)
    if kind == "policy":
        from guardtier_workers.notices.queue import NoticeQueue

        queue = NoticeQueue(settings)
        parts.push_async_callback(queue.close)
        return _stream_worker(PolicyWorker(settings, schedule=deadlines, notices=queue))

    steward = Steward(settings, schedule=deadlines)
    parts.push_async_callback(steward.close)
    exports = exporters(settings)

    async def is_well() -> dict[str, Any]:
        return {"ok": await steward.is_well(), "kind": "steward", "audit": [one.state for one in exports]}

    def make() -> arq.Worker:
        steward.stopped = False
        return arq_worker(settings, steward)

    async def end(worker: arq.Worker) -> None:
        steward.stopped = True
        await worker.close()

    works = [_arq_work("steward", make, end), *_notices_work(settings, parts)]
    return _together([*works, *(one.run for one in exports)]), is_well


def _console(settings: Settings) -> tuple[Work, Health]:
    try:
        from guardtier_workers.console.serve import serve as serve_console
    except ImportError as error:
        raise ConfigError(
            f"the console needs {error.name}: pip install 'guardtier[console]'", field="console"
        ) from error

    async def is_well() -> dict[str, Any]:  # nobody asks: it serves /healthz itself
        return {"ok": True, "kind": "console"}

    return partial(serve_console, settings), is_well


def _notices_work(settings: Settings, parts: AsyncExitStack) -> list[Work]:
    """The arq workers of every channel, a queue each; nothing is loaded where there is no channel."""
    if not settings.channel:
        return []
    from guardtier_workers.notices.jobs import Notifier, arq_worker

    notifier = Notifier(settings)
    parts.push_async_callback(notifier.close)

    async def end(worker: arq.Worker) -> None:
        await worker.close()

    return [
        _arq_work(f"channel {channel}", partial(arq_worker, settings, notifier, channel), end)
        for channel in settings.channel
    ]


async def _pool_worker(settings: Settings, parts: AsyncExitStack, pool: str) -> tuple[Work, Health]:
    from guardtier_workers.pool import PoolWorker, arq_worker, drained

    made = PoolWorker(settings, pool)
    parts.push_async_callback(made.close)
    beating = asyncio.create_task(made.beat())
    parts.callback(beating.cancel)

    async def is_well() -> dict[str, Any]:
        return made.health

    async def end(worker: arq.Worker) -> None:
        await drained(worker, settings.drain_seconds)
        await worker.close()

    return _arq_work(f"pool {pool}", lambda: arq_worker(settings, made), end), is_well


def _arq_work(what: str, make: Callable[[], arq.Worker], end: Callable[[arq.Worker], Ending]) -> Work:
    """Runs an arq worker, and another one each time it has lost Redis."""

    async def work(stop: asyncio.Event) -> None:
        while not stop.is_set():
            worker = make()
            try:
                await _until(stop, worker.async_run(), partial(end, worker))
            except Exception as error:
                if not (is_away(error) or refuses_writes(error)):
                    raise
                log.warning("the %s waits for Redis: %s", what, error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_SECONDS)

    return work


def _together(works: Sequence[Work]) -> Work:
    """All of these at once. What ends one of them by an error ends all."""

    async def work(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for one in works:
                group.create_task(one(stop))

    return works[0] if len(works) == 1 else work


async def _until(
    stop: asyncio.Event,
    running: Coroutine[Any, Any, None],
    close: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Run until it ends by itself, or until ``stop``: then ``close`` ends it."""
    task = asyncio.create_task(running)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        ended_by_itself = task.done()
        with suppress(Exception, asyncio.CancelledError):  # arq's close() raises that of its jobs
            await close()
        await asyncio.gather(task, return_exceptions=True)
    if ended_by_itself:
        task.result()


def _stream_worker(worker: StreamWorker) -> tuple[Work, Health]:
    async def is_well() -> dict[str, Any]:
        return worker.health

    return worker.run, is_well


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """uvloop where it is installed: about a third less time per message."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run
    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="guardtier worker", description=__doc__)
    parser.add_argument("kind", choices=list(Kind))
    parser.add_argument("pool", nargs="?", help="the pool's name, for a worker of one")
    parser.add_argument("--redis-url", help="else GUARDTIER_REDIS_URL, else the settings file's")
    parser.add_argument("--config", type=Path, help="a TOML file of settings")
    parser.add_argument("--health-port", type=int, help="serve /healthz there; 0: any free port")
    parser.add_argument("--health-host", default=LOOPBACK)
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
