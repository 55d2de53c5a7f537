"""Parts: the strings of an action with their paths, and where each of them ends up."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from guardtier.analyzers.text.places import Place

_LONGEST_KEY = 64  #: characters of a key in a finding's path; the rest is left out
KEY_SHOWN = 4  #: characters of a key that a finding is about
_DEEPEST = 12  #: keys of a path that are shown; of a deeper one the first and the last half


class Path(NamedTuple):
    """Where a string stands. A link to its parent: spelled out, one long key with 100,000 children
    would need gigabytes."""

    key: str | int
    parent: Path | None = None


def shown(path: Path) -> str:
    """The path as a finding's field, ``arguments.files.0``; long keys and deep paths are cut."""
    keys: list[str] = []
    link: Path | None = path
    while link is not None:
        keys.append(cut(str(link.key), _LONGEST_KEY))
        link = link.parent
    keys.reverse()
    if len(keys) > _DEEPEST:
        keys[_DEEPEST // 2 : -_DEEPEST // 2] = ["…"]
    return ".".join(keys)


def cut(key: str, length: int) -> str:
    """The key's first characters; lone surrogates, which nothing can print, as question marks."""
    cut = key if len(key) <= length else f"{key[:length]}…"
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()


class Part(NamedTuple):
    """One string of an action.

    ``exact`` is False where the text is not the field's own: a key, or an argument list shown as a
    command line. A finding there has no span.
    """

    path: Path
    text: str
    place: Place
    exact: bool = True


class _List(NamedTuple):
    """A list of nothing but strings, and the same list as a command line behind them."""

    path: Path
    strings: list[str]
    place: Place

    def part(self, index: int) -> Part:
        if index < len(self.strings):
            return Part(Path(index, self.path), self.strings[index], self.place)
        return Part(self.path, " ".join(self.strings), self.place, exact=False)


class Parts:
    """The parts in order. Those of a list are made when they are asked for: there may be 100,000."""

    def __init__(self, first: Part) -> None:
        self._entries: list[Part | _List] = [first]
        self._firsts = [0]
        self._count = 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Part:
        if not 0 <= index < self._count:
            raise IndexError(index)
        at = bisect_right(self._firsts, index) - 1
        entry = self._entries[at]
        return entry if isinstance(entry, Part) else entry.part(index - self._firsts[at])

    def add(self, part: Part) -> None:
        self._entries.append(part)
        self._firsts.append(self._count)
        self._count += 1

    def add_list(self, path: Path, strings: list[str], place: Place) -> None:
        """One part a string, and one of all of them where there are two or more."""
        if strings:
            self._entries.append(_List(path, strings, place))
            self._firsts.append(self._count)
            self._count += len(strings) + (len(strings) > 1)
