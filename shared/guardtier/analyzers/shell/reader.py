"""read(text): the way in."""

from __future__ import annotations

from guardtier.analyzers.shell import document, plain
from guardtier.analyzers.shell.decode import prints
from guardtier.analyzers.shell.model import PLAIN, Command, Script
from guardtier.analyzers.shell.reading import Reading
from guardtier.analyzers.shell.unwrap import runs_any
from guardtier.analyzers.shell.wrappers import is_listed, program_of, table


def read(text: str) -> Script:
    """What this text would run, in time linear in its length. Never raises."""
    if len(text) <= plain.LONGEST and text.isascii():
        commands = plain.commands_of(text)
        if commands is not None:
            return _plain(text, commands)
    found = document.read_plainly(text)
    if found is not None and len(found.commands) == 1 and not is_listed(found.commands[0].program):
        return Script((found.commands[0].alone(),))
    reading = Reading(text)
    try:
        if found is not None:
            return reading.simple(found)
        reading.read(text, _same, PLAIN, 0)
    except RecursionError:  # bounded above, but a caller may be deep in the stack itself
        reading.broken = reading.cut = True
    return reading.script()


def _plain(text: str, commands: list[Command]) -> Script:
    for command in commands:
        feeder = command.piped_from
        if (feeder is not None and prints(feeder)) or _runs(command):
            return Reading(text).plain(commands)
    return Script(tuple(commands), plain=True)


def _runs(command: Command) -> bool:
    """True where there is more to a command than its name and arguments."""
    program = command.program
    entry = table().get(program)
    if entry is None:
        if not is_listed(program):
            return False
        entry = program_of(program)
        if entry is None:
            return not program[-1:].isdigit()
    return runs_any(entry, command.args)


def _same(start: int, end: int) -> tuple[int, int]:
    return start, end
