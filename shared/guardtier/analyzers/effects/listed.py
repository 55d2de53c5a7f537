"""Listed: whether a pipeline behind ps still holds every process, or a few that were looked for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from guardtier.analyzers.effects.targets import UNKNOWN_PART
from guardtier.analyzers.shell.model import Command

_PICKING = frozenset({"head", "sed", "fzf", "pgrep", "jq", "python3", "python", "perl", "wc"})
_GREPS = frozenset({"grep", "egrep", "fgrep", "ggrep", "rg", "ag"})
_AWKS = frozenset({"awk", "gawk", "mawk", "nawk"})
_CHOOSING = ("-C", "-p", "-q", "--pid", "--ppid", "-s", "--sid", "-g", "-t", "--tty")
_HEADER = re.compile(r"NR\s*(?:>|!=)\s*1\b")  #: leaves out no more than the first line
_STEPS = 6  #: commands that a pipeline is followed back


def lists_every(command: Command) -> bool:
    """Whether this ps is not told which processes it is to list."""
    words = [word.text for word in command.args]
    return not any(one.startswith(_CHOOSING) or one.isdigit() or UNKNOWN_PART in one for one in words)


def is_narrowing(command: Command) -> bool:
    """Whether it lets only some of the lines through, chosen by what they say."""
    program = command.program
    if program in _GREPS:
        return not any(_has_flag(word.text, "v") or word.text == "--invert-match" for word in command.args)
    if program in _AWKS:
        texts = [_HEADER.sub("", word.text) for word in command.args]
        return any(sign in text for text in texts for sign in ("/", "==", "~", ">", "<", "index"))
    if program == "tail":
        return not any("+" in word.text for word in command.args)
    return program in _PICKING


def narrowed(commands: Iterable[Command]) -> set[int]:
    """Where the commands begin whose output is narrowed further down their pipelines."""
    found: set[int] = set()
    for command in commands:
        feeder = command.piped_from if command.piped_from is not None and is_narrowing(command) else None
        for _ in range(_STEPS):
            if feeder is None:
                break
            found.add(feeder.span[0])
            feeder = feeder.piped_from
    return found


def _has_flag(text: str, flag: str) -> bool:
    return text[:1] == "-" and text[1:2] != "-" and flag in text
