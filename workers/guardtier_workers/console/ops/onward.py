"""Onward: follows one audit stream and hands each line on once, also where the stream went back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guardtier.store.tail import Fields, Tail

_BEGIN: Final = (0, 0)


class Onward:
    """A tail reads from the beginning of the stream where a server is back with an older copy: what stands
    there was counted, or was there before anything was counted.
    """

    def __init__(self, url: str, key: str, on_line: Callable[[str, Fields], None]) -> None:
        self._on_line = on_line
        self._last = _BEGIN
        self.tail = Tail(url, key, self._line)

    async def start(self) -> None:
        """Begin behind the last line that is there now. Waits for Redis where it is away."""
        await self.tail.start()
        self._last = _number(self.tail.last)

    async def close(self) -> None:
        await self.tail.close()

    def _line(self, entry: str, fields: Fields) -> None:
        number = _number(entry)
        if number > self._last:
            self._last = number
            self._on_line(entry, fields)


def _number(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)
