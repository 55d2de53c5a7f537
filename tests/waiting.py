"""Waits for a condition, never for a time: a slow machine makes a test slow, not red."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from time import monotonic, sleep
from typing import Any

import psutil

POLL_SECONDS = 0.01


async def until(predicate: Callable[[], Any | Awaitable[Any]], timeout: float = 60.0) -> Any:
    """The first true value of ``predicate``, plain or async. Fails after ``timeout`` seconds."""
    deadline = monotonic() + timeout
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        _check(deadline, predicate, timeout)
        await asyncio.sleep(POLL_SECONDS)


def until_sync(predicate: Callable[[], Any], timeout: float = 60.0) -> Any:
    """``until`` for tests without an event loop."""
    deadline = monotonic() + timeout
    while not (value := predicate()):
        _check(deadline, predicate, timeout)
        sleep(POLL_SECONDS)
    return value


def gone(pid: int) -> bool:
    """True once the process has ended; a zombie that nobody reaps has ended too."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def connected_to(port: int) -> bool:
    """Whether this process has a connection to this port, in whatever state."""
    return any(one.raddr and one.raddr.port == port for one in psutil.Process().net_connections())


def _check(deadline: float, predicate: Callable[[], Any], timeout: float) -> None:
    if monotonic() > deadline:
        name = getattr(predicate, "__qualname__", repr(predicate))
        where = inspect.getsource(predicate).strip() if inspect.isfunction(predicate) else name
        raise AssertionError(f"not so within {timeout} s: {where}")
