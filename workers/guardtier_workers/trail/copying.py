"""Copying: what an export's files have goes on to a database, at its own pace; failures are tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Protocol

from guardtier_workers.ending import end
from guardtier_workers.trail.folder import Folder

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
PAUSE_SECONDS = 5.0  #: after a failure
HANGS_SECONDS = 30.0  #: without one more transaction: the database does not answer
END_SECONDS = 2.0  #: for a transaction, at the end


class Copies(Protocol):
    """Whoever copies the folder's lines to elsewhere (the database)."""

    strange: str | None  #: what stands there that no export wrote
    moves: int  #: rises while it gets on

    async def catch_up(self, folder: Folder) -> None: ...


class Copying:
    """Runs beside the exporter."""

    def __init__(self, copies: Copies, folder: Folder) -> None:
        self._copies, self._folder = copies, folder
        self._failed: str | None = None
        self._said: str | None = None
        self._faults = 0

    @property
    def trouble(self) -> str | None:
        """What is wrong with the copy at the moment, in words."""
        return self._failed or self._copies.strange

    def take(self) -> int:
        """How often something strange was found, since this was asked last."""
        new, self._faults = self._faults, 0
        return new

    async def run(self, stop: asyncio.Event) -> None:
        """Copy until ``stop``."""
        while not stop.is_set():
            try:
                await self._copied()
            except Exception as error:
                self._fails(f"{type(error).__name__}: {error}")
            else:
                self._failed = None
                self._look()
            await pause(stop, PAUSE_SECONDS if self._failed else IDLE_SECONDS)

    async def _copied(self) -> None:
        """Copy once. A database that hangs is said to; whatever it waits for, it is waited for."""
        copying, moves = asyncio.create_task(self._copies.catch_up(self._folder)), -1
        try:
            while not (await asyncio.wait({copying}, timeout=HANGS_SECONDS))[0]:
                if self._copies.moves == moves:
                    self._fails(f"it has not answered for {HANGS_SECONDS:.0f} s")
                moves = self._copies.moves
        finally:
            await end([copying])
        copying.result()

    def _fails(self, told: str) -> None:
        if self._failed != told:
            log.error("the audit trail can't be copied to the database: %s", told)
        self._failed = told

    def _look(self) -> None:
        strange = self._copies.strange
        if strange is not None and strange != self._said:
            log.error("the audit trail's database: %s; guardtier audit verify --sql", strange)
            self._faults += 1
        self._said = strange


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until ``stop``."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def aside(work: Callable[[], None]) -> None:
    """Do it in a thread of its own, which keeps no process from ending: a database may hang for ever."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def run() -> None:
        failed: BaseException | None = None
        try:
            work()
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # nobody is left to be told
            loop.call_soon_threadsafe(settle, failed)

    Thread(target=run, name="audit-copy", daemon=True).start()
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.wait({done}, timeout=END_SECONDS)
        raise
