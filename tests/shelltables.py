"""What the tables of these tests are written in."""

from __future__ import annotations

from guardtier.analyzers.shell import Command, Script, read

UNKNOWN = "\x00"


def programs(text: str) -> list[str]:
    """What a text runs: each command as one line, ``None`` where its name can't be told."""
    return [line(command) for command in read(text).commands if command.name is not None]


def line(command: Command) -> str:
    return " ".join([command.program, *(word.text for word in command.args)])


def last(script: Script) -> Command:
    return script.commands[-1]
