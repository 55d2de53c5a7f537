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
from functools import lru_cache

from guardtier.policy.grants import Grant, SimpleCommand

MOST_COMMANDS = 50  #: of a line that is looked at

_BETWEEN = frozenset({"&&", ";", "\n"})
#: What some shell makes more than a path of, even in quotes: bash at a prompt expands ``!``, to PowerShell
#: ``a,b`` are two paths, to cmd.exe ``^.^.`` leads up, ``%X%`` is computed, and ``'`` quotes nothing.
_NO_PATH = frozenset("*?[]{}$`\\:!,%^;&|<>()'\"")
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

    Of several ways the one with the earlier grants is taken. Time: commands of the line × grants, 60 ms
    for 50 commands and 1,000 grants that are nearly alike.
    """
    if not 0 < len(line) <= MOST_COMMANDS:
        return None
    ways: list[tuple[Grant, ...] | None] = [None] * len(line) + [()]  # from each command to the end
    for start in range(len(line) - 1, -1, -1):
        if start and line[start].join not in _BETWEEN:
            continue
        for grant in grants:
            end = start + len(grant.commands)
            rest = ways[end] if end <= len(line) else None
            if rest is not None and _is_run(grant, line[start:end], last=end == len(line)):
                ways[start] = (grant, *rest)
                break
    found = ways[0]
    return None if found is None else tuple(dict.fromkeys(found))


def _is_run(grant: Grant, run: Sequence[Said], *, last: bool) -> bool:
    """Whether these are the commands of the grant, and may stand where they do."""
    for at, (command, said) in enumerate(zip(grant.commands, run, strict=True)):
        if at and command.join != said.join:
            return False
        if not _covers(command, said):
            return False
    return last or not any(one.words[0] in _CHANGES_THE_REST for one in run)


def _covers(command: SimpleCommand, said: Said) -> bool:
    words = said.words
    if len(command.words) != len(words):
        return False
    for at, word in enumerate(command.words):
        if isinstance(word, str):
            if word != words[at]:
                return False
        elif at not in said.paths or not is_below(words[at], word.below):
            return False
    return True


_LONGEST = 4096  #: of a path that is remembered: an action may hold one of a megabyte


def is_below(path: str, folder: str) -> bool:
    """Whether a path, as it is written, leads below the folder, which has no detours.

    Where links lead nobody can tell here.
    """
    normal = _normal(path)
    return normal is not None and normal.startswith(folder.rstrip("/") + "/")


def _normal(path: str) -> str | None:
    """The path without detours; None where it does not say which it is. It is asked for by every grant."""
    return _remembered(path) if len(path) <= _LONGEST else _remembered.__wrapped__(path)


@lru_cache(maxsize=256)
def _remembered(path: str) -> str | None:
    return posixpath.normpath(path) if is_plain_path(path) else None


def is_plain_path(path: str) -> bool:
    """Whether a word says which path it is: nothing to be expanded in it, and no way back up."""
    if not path.isprintable() or path[:1] in ("", "-") or not _NO_PATH.isdisjoint(path):
        return False
    return ".." not in path.split("/") and not path.startswith("//")


def folder_of(path: str) -> str | None:
    """The folder that a path is in; None where that would be the root, a home, or the working directory."""
    normal = _normal(path)
    if normal is None:
        return None
    folder = posixpath.dirname(normal)
    return None if folder in ("", ".", "/") or (folder[0] == "~" and "/" not in folder) else folder
