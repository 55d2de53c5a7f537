"""Examiner: has policy files read in processes of their own, few at a time, and remembers what stood."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

from guardtier.errors import ConfigError, TierUnavailable
from guardtier.policy.file import MAX_BYTES
from guardtier.settings import Settings
from guardtier.settings_help import PREFIX
from guardtier_workers.console.rules.child import NO_MEMORY, Task
from guardtier_workers.console.rules.examined import Examined

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "guardtier_workers.console.rules.child")
AT_ONCE = 2  #: processes
WAITING = 8  #: that may wait for one of them; the next is told to come back
SECONDS = 30.0  #: for one text, from when its process starts
END_SECONDS = 5.0  #: for one that was killed
REMEMBERED = 8  #: texts; one stands, and two while it changes


class Examiner:
    """Made once, for all visitors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._known: dict[str, Examined] = {}
        self._reading = asyncio.Lock()

    async def standing(self, text: str) -> Examined:
        """What is in a text that stands, without its tests. It is asked for often, and read once."""
        digest = _digest(text)
        async with self._reading:
            if digest not in self._known:
                self._remember(digest, await self._examined(Task.under(self._settings, text)))
            return self._known[digest]

    def _remember(self, digest: str, found: Examined) -> None:
        while len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[digest] = found

    async def check(self, text: str, *, stands: str | None = None) -> Examined:
        """A text that somebody would set: with its tests, and how it differs from what ``stands``.

        Raises ConfigError for one that takes too long or too much, TierUnavailable where too many wait.
        """
        if len(text.encode(errors="replace")) > MAX_BYTES:
            raise ConfigError(
                f"the file has more than {MAX_BYTES:,} bytes, the limit of a policy",
                field="text",
                limit=MAX_BYTES,
            )
        known = tuple(self._settings.channel)
        task = Task.under(self._settings, text, channels=known, with_tests=True, stands=stands)
        async with self._slot():
            found = await self._examined(task)
        if found.wrong is None:  # it will be set next
            self._remember(_digest(text), found.model_copy(update={"tests": (), "difference": None}))
        return found

    async def _examined(self, task: Task) -> Examined:
        said, ended = await _run(pickle.dumps(task))
        if ended is None or ended < 0 or ended == NO_MEMORY:
            raise ConfigError(
                f"the file could not be checked within {SECONDS:g} s and the memory that a check may use: "
                "give it fewer rules, conditions or tests",
                field="text",
                limit=int(SECONDS),
            )
        if ended != 0:
            raise TierUnavailable("the console could not check the file: its log says why")
        return Examined.model_validate_json(said)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            raise TierUnavailable("other policy files are being checked: try again in a minute")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


def _environment() -> dict[str, str]:
    """Without the tier's settings, which hold addresses and keys; with what analyzers are told by name."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


async def _run(task: bytes) -> tuple[bytes, int | None]:
    """What the process said, and how it ended; None: it had no more time. It is gone afterwards."""
    try:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
    except OSError as error:
        raise TierUnavailable(f"the console can't start a check: {error}") from error
    try:
        async with asyncio.timeout(SECONDS):
            said, trouble = await process.communicate(task)
        if process.returncode != 0:
            told = trouble[-2_000:].decode(errors="replace")
            log.warning("a policy file could not be checked (%s): %s", process.returncode, told)
        return said, process.returncode
    except TimeoutError:
        return b"", None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        with suppress(TimeoutError):  # asyncio waits for its pipes too, which what it started may hold
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
