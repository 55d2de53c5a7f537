"""Copying: what an export's files have goes on to a database, at its own pace; failures are tried again."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

from guardtier_workers.trail.folder import Folder

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
PAUSE_SECONDS = 5.0  #: after a failure


class Copies(Protocol):
    """Whoever copies the folder's lines to elsewhere (the database)."""

    strange: str | None  #: what stands there that no export wrote

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
                await self._copies.catch_up(self._folder)
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                if self._failed != told:
                    log.error("the audit trail can't be copied to the database: %s", told)  # noqa: TRY400
                self._failed = told
            else:
                self._failed = None
                self._look()
            await pause(stop, PAUSE_SECONDS if self._failed else IDLE_SECONDS)

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
