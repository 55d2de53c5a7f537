"""Finds repeated repetitions in a pattern, ``(a+)+``: exponential in other engines, never needed in any."""

from __future__ import annotations

import re

#: A class, an escape, the start of a group, its end, an alternative, or any other character; and then
#: how often it is repeated.
_TOKEN = re.compile(
    r"(?P<atom>\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\\[pP]\{\w+\}|\\.|\((?:\?(?:P?<\w+>|[a-zA-Z-]*:?))?|[)|]|.)"
    r"(?P<often>[*+?]\??|\{\d+(?:,\d*)?\}\??)?",
    re.DOTALL,
)


def repeated_repetition(pattern: str) -> int | None:
    """Where a group begins that is repeated without end and holds nothing but such repetitions."""
    groups: list[_Group] = [_Group(0)]
    for token in _TOKEN.finditer(pattern):
        atom, endless = token["atom"], _is_endless(token["often"])
        if atom.startswith("(") and not atom.endswith(")"):
            groups.append(_Group(token.start()))
        elif atom == "|":
            groups[-1].next_alternative()
        elif atom == ")" and len(groups) > 1:
            group = groups.pop()
            group.next_alternative()
            if endless and group.only_endless:
                return group.start
            groups[-1].add(endless=endless or group.only_endless)
        else:
            groups[-1].add(endless=endless)
    return None


class _Group:
    """An open group: whether one of its alternatives consists of endless repetitions alone."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.only_endless = False
        self._items = 0
        self._endless = 0

    def add(self, *, endless: bool) -> None:
        self._items += 1
        self._endless += endless

    def next_alternative(self) -> None:
        self.only_endless = self.only_endless or 0 < self._items == self._endless
        self._items = self._endless = 0


def _is_endless(often: str | None) -> bool:
    return often is not None and (often[0] in "*+" or ",}" in often)
