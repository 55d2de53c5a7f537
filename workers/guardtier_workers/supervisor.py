"""Supervisor: starts the tier's processes, starts again what exits, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from guardtier.errors import ConfigError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2  #: before a child that exited is started again; doubles each time
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0  #: a child that lived for so long is well again: its pauses start anew
DRAIN_SECONDS = 15.0  #: above the 10 s that a worker takes to drain by itself

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_STDERR = 2


def die_with_parent() -> Callable[[], None] | None:
    """What a child runs before exec, so that it can't outlive this process, however that ends.

    Linux kills the child when the *thread* that forked it ends: fork from the main thread, or from
    one that lives as long as the child shall. None on other systems, which have no such thing.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: after the fork, a lock may be held for ever
    request = (_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    parent = os.getpid()

    def arm() -> None:
        prctl(*request)
        if os.getppid() != parent:  # it died before we were armed
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A child to keep alive. ``env`` is added to this process's own environment."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Keeps one process per spec alive until it is told to stop. Runs once.

    Each child is the leader of a session of its own: Ctrl-C in a terminal reaches the supervisor
    alone, which then lets the workers drain while Redis is still there. A child has no standard
    input, and writes its standard output to our standard error, so that ours stays clean.
    """

    def __init__(self, specs: Sequence[ProcessSpec], *, drain_seconds: float = DRAIN_SECONDS) -> None:
        if len({spec.name for spec in specs}) < len(specs):
            raise ConfigError("two processes have the same name", field="name")
        self._specs = tuple(specs)
        self._drain_seconds = drain_seconds
        self._stopping = asyncio.Event()
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def names(self) -> list[str]:
        """The processes that are kept alive."""
        return [spec.name for spec in self._specs]

    @property
    def processes(self) -> dict[str, int]:
        """The children that run: name → pid. One that waits to be started again is not in it."""
        return {name: child.pid for name, child in self._children.items() if child.returncode is None}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep every child alive until ``stop`` is set (or we are cancelled), then end them all.

        Raises ConfigError where a program does not exist or may not be run.
        """
        self._keepers = [asyncio.create_task(self._keep(spec)) for spec in self._specs]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopping, *self._keepers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self.stop(self._drain_seconds)
        for keeper in self._keepers:
            keeper.result()

    async def stop(self, timeout: float) -> None:
        """Ask all children to end, give them ``timeout`` seconds to drain, kill what is left."""
        self._stopping.set()
        for child in self._children.values():
            _terminate(child)
        if not self._keepers:
            return
        _, late = await asyncio.wait(self._keepers, timeout=timeout)
        for name, pid in self.processes.items():
            log.warning("%s (pid %d) did not end in %.1f s and is killed", name, pid, timeout)
            kill_group(pid)
        if late:
            await asyncio.wait(late)

    async def _keep(self, spec: ProcessSpec) -> None:
        """Run the child again and again. Returns once we are stopping and it is gone."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = monotonic()
            ending = await self._run_once(spec)
            if self._stopping.is_set():
                log.info("%s %s", spec.name, ending)
                return
            if monotonic() - started >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.warning("%s %s, starts again in %.1f s", spec.name, ending, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _run_once(self, spec: ProcessSpec) -> str:
        """Start the child, wait for its end, and say how it ended."""
        try:
            child = await _start(spec)
        except (FileNotFoundError, PermissionError) as error:
            raise ConfigError(f"{spec.name} can't be started: {error}", field=spec.name) from error
        except OSError as error:  # no memory, too many processes: it may pass
            return f"could not be started ({error})"
        self._children[spec.name] = child
        log.info("%s started, pid %d", spec.name, child.pid)
        if self._stopping.is_set():  # stop() went by while the child was being started
            _terminate(child)
        return f"ended with {outcome(await child.wait())}"


async def _start(spec: ProcessSpec) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *spec.argv,
        env={**os.environ, **spec.env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=_STDERR,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )


def _terminate(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.terminate()


def kill_group(pid: int) -> None:
    """Kill a child that leads its session, and the processes it started itself."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def outcome(code: int) -> str:
    """``status 3`` or ``SIGKILL``: what an operator looks up."""
    if code >= 0:
        return f"status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"
