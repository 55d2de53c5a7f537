"""An exporter that is killed, or whose disk fails, at each call of the system that it makes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from desk import Desk
from guardtier.errors import ConfigError
from guardtier_workers.trail import exporter as module
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.files import files_in
from guardtier_workers.trail.folder import Folder
from trails import compared, exported, lines, verified, wrote
from waiting import until

LINES = 20
CALLS = ("open", "write", "fsync", "ftruncate", "unlink")


class Killed(BaseException):
    """From here on the process does nothing any more."""


class System:
    """Counts the calls. One of them fails, a write in its middle; where it ``dies``, so do the next."""

    def __init__(self, last: int, patch: pytest.MonkeyPatch, *, dies: bool) -> None:
        self.calls, self._last, self._dies = 0, last, dies
        for name in CALLS:
            patch.setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls < self._last or (self.calls > self._last and not self._dies):
                return real(*given, **named)
            if self.calls == self._last and name == "write":
                real(given[0], bytes(given[1])[: len(given[1]) // 2])
            if self._dies:
                raise Killed
            raise OSError(28, "No space left on device")

        return call


async def killed(desk: Desk, path: Path, at: int) -> bool:
    """Export all that is there. False where it was done before it was to be killed."""
    folder = Folder(path, most_bytes=1500)
    exporter = Exporter(desk.url, 1, folder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            System(at, patch, dies=True)
            with suppress(Killed):
                folder.open()
                await exporter.begin()
                while await exporter.step():
                    pass
                await exporter.close()
                return False
    finally:
        folder.close()  # what the system does for who is killed
        await exporter.close()
    return True


async def test_an_exporter_killed_at_any_call_of_the_system_leaves_each_line_once(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 5)
    await wrote(desk, LINES)
    at = 1
    while await killed(desk, path := tmp_path / str(at), at):
        if path.exists():
            assert {found.what for found in verified(path)} <= {"torn"}, at
        await exported(desk, path, most_bytes=1500)

        assert exported_in(path) == [*range(1, LINES + 1)], at
        assert verified(path) == await compared(desk, path) == [], at
        at += 1

    assert at > LINES, "files, lines and signatures"


async def test_a_disk_that_fails_at_any_call_of_the_system_costs_no_line_and_is_said(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PAGE": 5, "PAUSE_SECONDS": 0.0, "IDLE_SECONDS": 0.0}.items():
        monkeypatch.setattr(module, name, value)
    await wrote(desk, LINES)
    at, failed = 0, True
    while failed:
        at += 1
        path, stop = tmp_path / str(at), asyncio.Event()
        exporter = Exporter(desk.url, 1, Folder(path, most_bytes=1500))
        with pytest.MonkeyPatch.context() as patch:
            system = System(at, patch, dies=False)
            running = asyncio.create_task(exporter.run(stop))
            await until(lambda there=path: written(there) >= LINES)
            stop.set()
            await running
        failed = system.calls >= at

        assert exported_in(path) == [*range(1, LINES + 1)], at
        assert verified(path) == await compared(desk, path) == [], at
        assert exporter.faults == 0, at

    assert at > LINES, "files, lines and signatures"


def exported_in(path: Path) -> list[object]:
    return [line["n"] for line in lines(path) if line["kind"] == "line"]


def written(path: Path) -> int:
    """How many lines there are about: they are being written."""
    with suppress(ConfigError, OSError):
        return sum(file.read_bytes().count(b'"kind":"line"') for file in files_in(path))
    return 0
