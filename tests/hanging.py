"""A test that hangs ends: it fails, and the log says where every thread and every task stood.

Not pytest-timeout: it strikes once, and drops its limit when a test has failed (its issue 196), as pytest's
own ``faulthandler_timeout`` does. What a failed test left behind is what makes the end of a fixture hang.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

MOST_SECONDS = 480.0  #: of a test, its fixtures' start, their end; the slowest take 30; 190 on a busy one
AGAIN_SECONDS = 30.0  #: what swallowed the failure, or hangs in its clean-up, is interrupted again
LAST_SECONDS = 150.0  #: after that, what can't be interrupted (C code) ends with its process

_stderr = os.dup(2)  # the log, once :func:`open_log` has been called


def open_log() -> None:
    """While nothing is captured: where it is said where things stood."""
    os.dup2(2, _stderr, inheritable=False)


@contextmanager
def limited(what: str, most: float = MOST_SECONDS, log: int = _stderr) -> Iterator[None]:
    """Fails what takes more than ``most`` seconds; in the main thread, where pytest runs tests.

    pytest-xdist reports a process that was ended at last as a failure of its test. It would run that test
    again, for ever, in a new process: hence ``--max-worker-restart 0`` in the Makefile.
    """

    struck = False

    def late(_: int, __: FrameType | None) -> None:
        nonlocal struck
        message = f"{what} took more than {most:.0f} s"
        tasks = _tasks()
        told = "".join(f"{task!r}\n{''.join(_frames(task.get_coro()))}" for task in tasks)
        os.write(log, f"\n{message}\n{told}".encode(errors="replace"))
        faulthandler.dump_traceback(log)
        for task in tasks if struck else ():  # uvloop takes what is raised here for a callback's error
            task.cancel(message)
        struck = True
        pytest.fail(message)

    before = signal.signal(signal.SIGALRM, late)
    left = signal.setitimer(signal.ITIMER_REAL, most, AGAIN_SECONDS)
    faulthandler.dump_traceback_later(most + LAST_SECONDS, file=log, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


def _tasks() -> set[asyncio.Task[Any]]:
    """Those of the loop that runs, if one does: the thread's own frames only tell that it waits."""
    with suppress(RuntimeError):
        return asyncio.all_tasks()
    return set()


def _frames(waiting: Any) -> list[str]:
    """From a task's coroutine to what it awaits, as a traceback would have them."""
    found = []
    while waiting is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(waiting, f"{kind}_frame")), None)
        frame = kind and getattr(waiting, f"{kind}_frame")
        if not frame:
            break
        found.append((frame, frame.f_lineno))
        waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
    return traceback.StackSummary.extract(iter(found)).format()
