"""Whether what a string holds leaves the machine: by the tool that gets it or the program."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from guardtier.analyzers.text.fields import Texts
from guardtier.analyzers.text.parts import Part
from guardtier.analyzers.text.places import Place
from guardtier.analyzers.text.re2set import PatternSet, Source


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sends: tuple[str, ...]  #: shapes of commands and code that send
    publishes: tuple[str, ...]  #: the same of what others will read, whatever host it goes to
    commits: tuple[str, ...]  #: and of what goes into a repository's history
    host: str  #: a URL; group 1 is its host
    local: tuple[str, ...]  #: hosts that are this machine


_GIVEN = frozenset({Place.NAME, Place.ARGUMENT, Place.PROSE})


class _Kinds(NamedTuple):
    """What kinds of sending a command or code does."""

    sends: bool = False
    publishes: bool = False
    commits: bool = False


class Outgoing:
    """Tells whether a part of an action leaves; asked only where there is something to protect."""

    def __init__(self, data: Any) -> None:
        self._data = _Data.model_validate(data)
        kinds = (self._data.sends, self._data.publishes, self._data.commits)
        self._kind = [kind for kind, patterns in enumerate(kinds) for _ in patterns]
        self._patterns = PatternSet(Source("outgoing", one) for patterns in kinds for one in patterns)
        self._host = PatternSet([Source("outgoing.host", self._data.host)])
        self._last: tuple[Part, _Kinds] | None = None

    def leaves(self, texts: Texts, part: Part, home: tuple[str, ...] = (), *, commits: bool = True) -> bool:
        """Whether this part is sent anywhere but to this machine or to ``home``.

        What is committed is published sooner or later; it counts unless ``commits`` is False.
        """
        if part.place is Place.PARSED:
            does = self._kinds_of(part)
            if does.publishes or (does.commits and commits):
                return True
            return does.sends and not self._stays(part.text.encode("utf-8", "replace"), home)
        if part.place in _GIVEN:
            return texts.places.outgoing and not self._stays(texts.runs.normal.data, home)
        return False

    def _kinds_of(self, part: Part) -> _Kinds:
        """Asked again for each secret in the same part, so the last answer is kept."""
        if self._last is None or self._last[0] is not part:
            hits = {self._kind[hit] for hit in self._patterns.hits(part.text.encode("utf-8", "replace"))}
            self._last = part, _Kinds(*(kind in hits for kind in range(3)))
        return self._last[1]

    def _stays(self, data: bytes, home: tuple[str, ...]) -> bool:
        """Whether every host that is named is this machine or one of ``home``; False where none is."""
        known, at, named = (*self._data.local, *home), 0, False
        while found := self._host.find(0, data, at, group=1):
            host = data[slice(*found)].decode("utf-8", "replace").lower().strip("[]")
            if not any(host == one or host.endswith(f".{one}") for one in known):
                return False
            at, named = found[1], True
        return named
