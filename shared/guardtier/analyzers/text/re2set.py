"""PatternSet: many patterns as one automaton. Linear in the text's length, whatever the pattern is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import re2

from guardtier.analyzers.gate import LINES, joined, options
from guardtier.analyzers.text.repetition import repeated_repetition
from guardtier.errors import ConfigError

#: Instructions of one compiled pattern. RE2 is linear, but its factor grows with a pattern's size.
_LARGEST = 1000


class Source(NamedTuple):
    """A pattern and what it is called in an error."""

    name: str
    pattern: str


class PatternSet:
    """Tells which of many patterns match, in one pass.

    ``RE2::Set`` says "nothing matches" where its memory ran out (google/re2#136). So the set holds a
    pattern for the text's start, which always matches: where even that is missing, each is searched alone.

    Raises ConfigError, with the pattern and the position, for what RE2 refuses (look-around,
    backreferences) or what compiles to more than 1,000 instructions.
    """

    def __init__(self, sources: Iterable[Source], *, own: bool = False) -> None:
        self._sources = tuple(sources)
        self._using = options()
        self._patterns: list[re2._Regexp | None] = [None] * len(self._sources)
        if not own:  # a user's may be refused; to have ours compiled when they are met saves 5 MB
            for index in range(len(self._sources)):
                self._pattern(index)
        self._set = joined([source.pattern for source in self._sources])

    def _pattern(self, index: int) -> re2._Regexp:
        found = self._patterns[index]
        if found is None:
            found = self._patterns[index] = compiled(self._sources[index], self._using)
        return found

    def __len__(self) -> int:
        return len(self._patterns)

    def hits(self, data: bytes) -> Sequence[int]:
        """The patterns that match somewhere in the text, in order."""
        found: list[int] | None = self._set.Match(data)
        if found is None:
            return [index for index in range(len(self._patterns)) if self._pattern(index).search(data)]
        if len(found) == 1:
            return ()
        return sorted(index - 1 for index in found if index)

    def find(self, index: int, data: bytes, start: int = 0, group: int = 0) -> tuple[int, int] | None:
        """Where this pattern (or its group) first matches from ``start`` on, in bytes."""
        match = self._pattern(index).search(data, start)
        if match is None:
            return None
        first, last = match.span(group)
        return (first, last) if first >= 0 else match.span()

    def groups(self, index: int) -> int:
        return int(self._pattern(index).groups)


def compiled(source: Source, using: re2.Options | None = None, *, largest: int = _LARGEST) -> re2._Regexp:
    """One pattern, compiled. Raises ConfigError as :class:`PatternSet` does."""
    at = repeated_repetition(source.pattern) if largest == _LARGEST else None
    if at is not None:
        raise ConfigError(
            f"{source.name}: the pattern {source.pattern[:200]!r} repeats a repetition at position {at}; "
            "it matches the same with one of the two",
            field=source.name,
        )
    try:
        pattern = re2.compile((LINES + source.pattern).encode(), using or options())
    except (re2.error, UnicodeEncodeError) as error:
        raise _refused(source, error) from error
    if pattern.programsize > largest:
        raise ConfigError(
            f"{source.name}: the pattern {source.pattern[:200]!r} is too large ({pattern.programsize} "
            f"instructions, the limit is {largest}), at position {_widest(source.pattern)}; "
            "use smaller repetitions",
            field=source.name,
            limit=largest,
        )
    return pattern


def _refused(source: Source, error: Exception) -> ConfigError:
    """RE2 says what it stumbled over; where that stands is the position."""
    said = error.args[0] if error.args else ""
    reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
    what = reason.partition(": ")[2]
    at = max(source.pattern.find(what), 0) if what else 0
    hint = (
        "; RE2 has no look-around and no backreferences, so that no text can make it slow"
        if "operator: (?" in reason or "escape" in reason
        else ""
    )
    return ConfigError(
        f"{source.name}: the pattern {source.pattern[:200]!r} is refused at position {at}: {reason}{hint}",
        field=source.name,
    )


def _widest(pattern: str) -> int:
    """Where the largest counted repetition stands, the usual reason for size."""
    counts = [
        (int(found[1] or found[2]), found.start())
        for found in re.finditer(r"\{\d*,?(\d+)\}|\{(\d+),\}", pattern)
    ]
    return max(counts, default=(0, 0))[1]
