"""A test that hangs fails, whatever it waits for, and the log says where it stood."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanging import limited

SOON = 0.5  #: far longer than what is looked for takes to begin


class Log:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._open = file.open("wb")
        self.number = self._open.fileno()

    @property
    def text(self) -> str:
        return self._file.read_text()

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "log")
    yield made
    made.close()


def test_a_thread_that_waits_is_told(log: Log) -> None:
    with pytest.raises(pytest.fail.Exception, match="it took more than"), limited("it", SOON, log.number):
        threading.Event().wait()

    assert "test_a_thread_that_waits_is_told" in log.text


def test_a_task_that_waits_is_told(log: Log) -> None:
    async def waits_for_nobody() -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        await asyncio.gather(waits_for_nobody())

    with pytest.raises(pytest.fail.Exception, match="it took more than"), limited("it", SOON, log.number):
        asyncio.run(test())

    assert "in waits_for_nobody\n    await asyncio.Event().wait()" in log.text


def test_what_ends_in_time_is_left_alone(log: Log) -> None:
    with limited("it", 60, log.number):
        pass

    assert log.text == ""
