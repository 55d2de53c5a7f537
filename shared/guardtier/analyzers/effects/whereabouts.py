"""Whereabouts: the directory that a script's commands are run in, command by command."""

from __future__ import annotations

from functools import cache

from guardtier.analyzers.effects.targets import normal
from guardtier.analyzers.shell.model import Command
from guardtier.analyzers.shell.unwrap import entered
from guardtier.analyzers.shell.wrappers import Program, table

CHANGING = frozenset({"cd", "pushd", "chdir"})


class Whereabouts:
    """``here`` is empty in the workspace and below it, and begins with ``..`` above it."""

    def __init__(self) -> None:
        self.here = self._before = ""
        self._pushed: list[str] = []
        self._outside: list[tuple[Command, str]] = []  #: who runs theirs elsewhere, and where they stand

    def leave(self, command: Command | None) -> None:
        """Back to where the wrappers stand that this command (None: the script's end) is no more in."""
        while self._outside and not (command and _is_in(command, self._outside[-1][0])):
            self.here = self._outside.pop()[1]

    def follow(self, command: Command, program: str) -> None:
        """What a command changes for those behind it, or for the one that it runs."""
        if program in CHANGING:
            self._change(command, program)
        elif program == "popd" and self._pushed:
            self._before, self.here = self.here, self._pushed.pop()
        elif (wrapper := _entering().get(program)) and (where := entered(wrapper, command.args)):
            self._outside.append((command, self.here))
            self._enter(where.text)

    def _change(self, command: Command, program: str) -> None:
        before = self.here
        if program == "pushd":
            self._pushed.append(before)
        where = next((word.text for word in command.args if word.text[:1] != "-" or word.text == "-"), "~")
        if where == "-":
            self.here = self._before
        else:
            self._enter(where)
        self._before = before

    def _enter(self, where: str) -> None:
        if where[:1] in ("/", "~", "$"):
            self.here = normal(where) or "/"
        elif "\x00" not in where:
            there = normal(f"{self.here}/{where}" if self.here else where)
            if self.here or there.startswith(".."):  # else it is in the workspace still
                self.here = there or "/"


@cache
def _entering() -> dict[str, Program]:
    """The programs that may run a command in another directory."""
    return {name: one for name, one in table().items() if one.command is not None and one.command.chdir}


def _is_in(command: Command, wrapper: Command) -> bool:
    """Whether a wrapper runs this command."""
    around = (*wrapper.context.wrappers, wrapper.program)
    start, end = wrapper.span
    return (
        command.context.wrappers[: len(around)] == around
        and start <= command.span[0]
        and command.span[1] <= end
    )
