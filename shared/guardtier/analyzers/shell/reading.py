"""Reading: one text, and all that it leads to."""

from __future__ import annotations

import re
from dataclasses import replace

from guardtier.analyzers.shell.document import Document
from guardtier.analyzers.shell.model import PLAIN, Command, Context, Redirect, Script
from guardtier.analyzers.shell.output import Output, as_output
from guardtier.analyzers.shell.parser import Parser
from guardtier.analyzers.shell.part import Part
from guardtier.analyzers.shell.returns import readings
from guardtier.analyzers.shell.running import Runner
from guardtier.analyzers.shell.state import Locate, State

#: A shell takes a line's end behind a backslash out before it looks at what a dollar begins, so what stands
#: in ``$(…)`` runs with one after the dollar, too. The dollar is put behind it: that changes no length.
_DIVIDED = re.compile(r"(?<!\\)((?:\\\\)*)\$((?:\\\n)+)(?=[({'\"])")
#: So is a name whose parts stand in two lines one name; but in a comment the second line is a command.
_NAME = re.compile(r"(\$\{?)((?>(?:\w|\\\n)+))")


class Reading(State):
    """Reads a text (:meth:`read`), or what :mod:`plain` made of one (:meth:`plain`)."""

    def read(self, text: str, locate: Locate, context: Context, depth: int) -> None:
        if "$\\\n" in text:
            text = _DIVIDED.sub(r"\1\2$", text)
        texts = readings(text)
        if "\\\n" in text and (joined := _NAME.sub(_in_one_piece, text)) != text:
            texts += readings(joined)
        for one in texts:
            parsed = Parser(one, self.budget).parse()
            self.broken = self.broken or parsed.broken
            self.cut = self.cut or parsed.cut
            part = Part(self, one, parsed.regions, locate, context, depth)
            part.block(parsed.block)
            self.cut = self.cut or part.expander.cut
        if depth == 0:
            self._deeper()

    def plain(self, commands: list[Command]) -> Script:
        """What commands run that needed no parser."""
        runner = Runner(self, 0)
        renewed: dict[int, Command] = {}
        for command in commands:
            runner.emit(self._fed(command, renewed))
        self._deeper()
        return self.script()

    def simple(self, found: Document) -> Script:
        """What commands run that need no parser, but read and write files and here-documents."""
        self.bodies = found.bodies
        runner = Runner(self, 0)
        done: list[Command] = []
        for words, redirects, span, feeding in found.commands:
            feeder = None if feeding is None else done[feeding]
            stdin = self._given(redirects, feeder)
            body = None if stdin is None else stdin.text
            command = Command(words[0], tuple(words[1:]), span, tuple(redirects), (), PLAIN, feeder, body)
            if stdin is not None:
                self.stdin[id(command)] = stdin
            done.append(command)
            runner.emit(command)
        self._deeper()
        return self.script()

    def _given(self, redirects: list[Redirect], feeder: Command | None) -> Output | None:
        """What a command reads."""
        for redirect in reversed(redirects):
            if redirect.body is not None:
                return as_output(redirect.body)
            if redirect.kind == "read":
                return self.written(redirect.target.text) if redirect.target is not None else None
        return None if feeder is None else self.printed(feeder)

    def _deeper(self) -> None:
        """The substitutions that were too deep, one after another."""
        while self.pending:
            part, block = self.pending.pop()
            part.block(block)
            self.cut = self.cut or part.expander.cut

    def _fed(self, command: Command, renewed: dict[int, Command]) -> Command:
        """The command with what it reads, where that is known."""
        feeder = command.piped_from
        if feeder is None:
            return command
        feeder = renewed.get(id(feeder), feeder)
        output = self.printed(feeder)
        if output is None and feeder is command.piped_from:
            return command
        found = replace(command, piped_from=feeder, body=None if output is None else output.text)
        renewed[id(command)] = found
        if output is not None:
            self.stdin[id(found)] = output
        return found


def _in_one_piece(match: re.Match[str]) -> str:
    parts = match[2].split("\\\n")
    return match[1] + "".join(parts) + "\\\n" * (len(parts) - 1)
