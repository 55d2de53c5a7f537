"""State: what the parts of one reading share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from guardtier.analyzers.shell import decode
from guardtier.analyzers.shell.model import Code, Command, Context, Script, Span
from guardtier.analyzers.shell.output import Output
from guardtier.analyzers.shell.syntax import Block, Budget
from guardtier.analyzers.shell.variables import Variables

if TYPE_CHECKING:
    from guardtier.analyzers.shell.part import Part

Locate = Callable[[int, int], Span]

CALLS = 64  #: calls of functions that are followed, with their arguments
TEXTS = 1_000  #: texts in texts
CHARACTERS = 1 << 18  #: characters of them, and twice as many as the text has
MANY = 500  #: commands that write one file after the other
PRINTED = 1 << 22  #: bytes that commands may be found to print
STEP = 400  #: what looking at one command costs of these at least


class State:
    """What was found so far, what is known, and what may still be spent."""

    def __init__(self, text: str) -> None:
        self.original = text
        self.commands: list[Command] = []
        self.code: list[Code] = []
        self.computed: list[Span] = []
        self.obscured: list[Span] = []
        self.broken = False
        self.cut = False
        self.variables = Variables(len(text))
        self.stdin: dict[int, Output] = {}  # by id of a command: what it reads
        self.bodies: dict[int, Span] = {}  # by id of a redirect: where its here-document stands
        self.kept: list[Command] = []  # commands that were replaced: an id must not be used twice
        self.files: dict[str, list[Command]] = {}  # what this text wrote to files
        self.decoded: dict[str, None] = {}  # what substitutions decoded
        self.decoded_words: set[Span] = set()  # … and the words that are made of it
        self.functions: dict[str, tuple[Part, Block, tuple[int, int]]] = {}
        self.pending: list[tuple[Part, Block]] = []  # substitutions too deep to recurse into
        self.nested = 0
        self.calls = CALLS
        self.inside: dict[str, int] = {}  # by function: in how many calls of it this is
        self.budget = Budget()
        self.texts = TEXTS
        self.characters = CHARACTERS + 2 * len(text)
        self.printing = PRINTED

    def read(self, text: str, locate: Locate, context: Context, depth: int) -> None:
        """Read a text, ``depth`` texts deep; ``locate`` says where its parts stand in the original."""
        raise NotImplementedError

    def script(self) -> Script:
        """What was found."""
        return Script(
            tuple(self.commands),
            tuple(self.code),
            self.broken,
            tuple(dict.fromkeys(self.computed)),
            tuple(dict.fromkeys(self.obscured)),
            self.cut or self.variables.cut,
        )

    def printed(self, command: Command) -> Output | None:
        """What a command prints, as far as it can be told and there is budget for it."""
        if self.printing < 0:
            self.cut = True
            return None
        output = decode.printed(command, self.stdin.get(id(command)))
        self.printing -= STEP if output is None else STEP + len(output.data)
        return output

    def replace(self, old: Command, new: Command) -> None:
        """``new`` reads what ``old`` read."""
        self.kept.append(old)
        stdin = self.stdin.get(id(old))
        if stdin is not None:
            self.stdin[id(new)] = stdin

    def write(self, path: str, command: Command, *, append: bool) -> None:
        """A command writes what it prints to a file."""
        before = self.files.get(_relative(path), []) if append else []
        self.files[_relative(path)] = [*before[-MANY:], command]

    def written(self, path: str) -> Output | None:
        """What this text wrote to a file, as far as that can be told."""
        found: list[Output] = []
        for command in self.files.get(_relative(path), ()):
            alone = replace(command, redirects=())
            self.replace(command, alone)
            self.kept.append(alone)
            output = self.printed(alone)
            if output is not None:
                found.append(output)
        decoded = any(output.decoded for output in found)
        return Output(b"".join([output.data for output in found]), decoded) if found else None

    def forget(self, path: str) -> None:
        """A script that runs itself is read once."""
        self.files.pop(_relative(path), None)


def _relative(path: str) -> str:
    return path.removeprefix("./")
