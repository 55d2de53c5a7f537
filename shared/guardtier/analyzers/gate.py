"""Gate: one search of a text for all analyzers, which tells the few that have something to look for."""

from __future__ import annotations

from collections.abc import Iterable

import re2

from guardtier.errors import ConfigError

#: ``^`` and ``$`` are a line's: many strings are searched as one text, a line break around each.
LINES = "(?m)"
_MEMORY = 16 << 20  #: bytes that an automaton's cache may grow to; 1 to 3 MB are usual


def options() -> re2.Options:
    found = re2.Options()
    found.max_mem = _MEMORY
    found.log_errors = False
    return found


def joined(patterns: list[str]) -> re2.Set:
    """One automaton: number 0 matches any text, the first of these is 1.

    It matches at the text's start alone: measured, an empty pattern, which matches everywhere, makes each
    byte cost 3.7 ns instead of 2.2.
    """
    found = re2.Set.SearchSet(options())
    found.Add(rb"\A")
    for pattern in patterns:
        found.Add((LINES + pattern).encode())
    try:
        found.Compile()
    except re2.error as error:
        raise ConfigError(
            f"{len(patterns)} patterns are too large together; use fewer or smaller ones", field="patterns"
        ) from error
    return found


class Gate:
    """The patterns of several analyzers as one automaton, read over a text in lower case.

    Measured: three automata of their own take 3.5 µs an action of agents, this one 1.2.
    """

    def __init__(self) -> None:
        self._patterns: dict[str, int] = {}
        self._set: re2.Set | None = None

    def admit(self, patterns: Iterable[str]) -> frozenset[int]:
        """The numbers of these patterns; those that are known keep theirs. ``""`` matches anything."""
        self._set = None
        return frozenset([self._patterns.setdefault(one, len(self._patterns) + 1) for one in patterns])

    def hits(self, data: bytes) -> frozenset[int] | None:
        """The numbers of the patterns that match; None where it can't be told (see :class:`PatternSet`)."""
        if self._set is None:
            self._set = joined(list(self._patterns))
        found: list[int] | None = self._set.Match(data)
        if found is None:
            return None
        return NONE if len(found) == 1 else frozenset(found)


NONE: frozenset[int] = frozenset()
#: Between two strings: a line break for each, and a character that no pattern takes for a space.
BETWEEN = "\n\x00\n"

#: The one of this process: analyzers are built once and live as long as it does.
GATE = Gate()
