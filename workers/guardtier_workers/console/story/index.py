"""Index: where the lines of the last actions stand on the audit streams, so that a story is read at once.

Released actions are not in it: they are most of the lines, and few are looked at.
"""

from __future__ import annotations

from typing import Final

from guardtier.action import partition_of
from guardtier.store.trail import Line

_MOST_IDS: Final = 50_000  #: some 400 bytes each; the one that was spoken of longest ago goes
_MOST_LINES: Final = 200  #: of one action
_LEFT_OUT: Final = frozenset({b"assessed", b"released"})


class Index:
    """Takes lines forwards, or before :meth:`settle` backwards."""

    def __init__(self, *, most_ids: int = _MOST_IDS) -> None:
        self._most = most_ids
        self._entries: dict[str, list[str]] = {}
        self._backwards = True

    def take(self, line: Line) -> None:
        if line.fields.get(b"event") in _LEFT_OUT:
            return
        action_id = line.text("id")
        if partition_of(action_id) != line.partition:  # of a request, or told elsewhere too
            return
        entries = self._entries.get(action_id)
        if entries is None:
            if self._backwards and len(self._entries) >= self._most:
                return
            entries = self._entries[action_id] = []
        elif not self._backwards:  # it moves to the end of those that go
            self._entries[action_id] = self._entries.pop(action_id)
        if len(entries) < _MOST_LINES:
            entries.append(line.entry)
        if len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]

    def settle(self) -> None:
        """What comes from now on comes forwards."""
        if self._backwards:
            self._backwards = False
            self._entries = {name: entries[::-1] for name, entries in reversed(self._entries.items())}

    def of(self, action_id: str) -> list[str]:
        """The entries of its lines, the oldest first; empty where they are not known, or too many."""
        entries = self._entries.get(action_id, [])
        return list(entries) if len(entries) < _MOST_LINES else []

    def clear(self) -> None:
        self._entries.clear()
        self._backwards = True
