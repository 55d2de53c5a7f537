"""Covering: whether grants cover a shell line, simple command by simple command.

A grant covers the commands that its approver saw, in their order and joined as they were: one for
``make test && make publish`` does not cover ``make publish`` alone. A line is covered where it is such
runs and nothing else, each covered by a grant. Between two runs only ``&&``, ``;`` and a new line
may stand: nobody has seen what goes through a pipe from one to the other.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from guardtier.policy.grants import Below, Grant, SimpleCommand

MOST_COMMANDS = 50  #: of a line that is looked at

_BETWEEN = frozenset({"&&", ";", "\n"})
#: What these do changes what all that stands behind them means.
_CHANGES_THE_REST = frozenset(
    ["cd", "chdir", "pushd", "popd", "export", "set", "unset", "alias", "unalias", "source", ".", "eval",
     "exec", "shopt", "trap", "hash", "enable", "umask", "ulimit", "read", "declare", "typeset", "local",
     "readonly", "builtin", "command", "let", "mapfile", "readarray", "getopts", "printf"]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """One simple command as it stands in a line. ``paths``: which of its words are nothing but paths."""

    join: str
    words: tuple[str, ...]
    paths: frozenset[int] = frozenset()


def covering(grants: Sequence[Grant], line: Sequence[Said]) -> tuple[Grant, ...] | None:
    """The grants that together cover this line, each once; None where something is left over.

    Of several ways the one with the earlier grants is taken. Time: commands × words of all grants.
    """
    if not 0 < len(line) <= MOST_COMMANDS:
        return None
    ways: list[tuple[Grant, ...] | None] = [None] * len(line) + [()]  # from each command to the end
    for start in range(len(line) - 1, -1, -1):
        if start and line[start].join not in _BETWEEN:
            continue
        ways[start] = next(
            ((grant, *rest) for grant in grants if (rest := _rest(grant, line, start, ways)) is not None),
            None,
        )
    found = ways[0]
    return None if found is None else tuple(dict.fromkeys(found))


def _rest(
    grant: Grant, line: Sequence[Said], start: int, ways: Sequence[tuple[Grant, ...] | None]
) -> tuple[Grant, ...] | None:
    """What covers the line behind a run of this grant's; None: there is no such run, or nothing does."""
    end = start + len(grant.commands)
    if end > len(line) or ways[end] is None:
        return None
    run = line[start:end]
    if end < len(line) and any(one.words[0] in _CHANGES_THE_REST for one in run):
        return None
    if not all(
        _covers(command, said, first=at == 0)
        for at, (command, said) in enumerate(zip(grant.commands, run, strict=True))
    ):
        return None
    return ways[end]


def _covers(command: SimpleCommand, said: Said, *, first: bool) -> bool:
    if len(command.words) != len(said.words) or (not first and command.join != said.join):
        return False
    return all(
        is_below(said.words[at], word.below) and at in said.paths
        if isinstance(word, Below)
        else word == said.words[at]
        for at, word in enumerate(command.words)
    )


def is_below(path: str, folder: str) -> bool:
    """Whether a path, as it is written, leads below the folder. Where links lead nobody can tell here."""
    if not is_plain_path(path):
        return False
    return posixpath.normpath(path).startswith(posixpath.normpath(folder) + "/")


def is_plain_path(path: str) -> bool:
    """Whether a word says which path it is: nothing to be expanded in it, and no way back up."""
    if not path.isprintable() or path[:1] in ("", "-") or any(char in path for char in "*?[]{}$`\\:"):
        return False
    return ".." not in path.split("/") and not path.startswith("//")


def folder_of(path: str) -> str | None:
    """The folder that a path is in; None where that would be the root, a home, or the working directory."""
    if not is_plain_path(path):
        return None
    folder = posixpath.dirname(posixpath.normpath(path))
    return None if folder in ("", ".", "/") or (folder[0] == "~" and "/" not in folder) else folder
