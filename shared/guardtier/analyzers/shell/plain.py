"""The fast path: commands of plain or simply quoted words, joined by ``&& || ; |`` and newlines."""

from __future__ import annotations

import re

from guardtier.analyzers.shell.grammar import RESERVED
from guardtier.analyzers.shell.model import PLAIN, Command, Word

_TOKEN = re.compile(
    r"""[ \t]*+(?:\\\n[ \t]*+)*(?:
      ([\w./:,@%+=^~\-]++)(?=[ \t\n;|&]|\Z)
    | '([^'\0]*+)'(?=[ \t\n;|&]|\Z)
    | "([^"\\$`\0]*+)"(?=[ \t\n;|&]|\Z)
    | (\|(?!&)|&&|\|\||;(?!;)|\n[ \t\n]*+)
    )""",
    re.VERBOSE,
)

LONGEST = 4_096  #: characters; longer texts are rarely plain


def commands_of(text: str) -> list[Command] | None:
    """The commands of a plain text; None where it needs the parser."""
    commands: list[Command] = []
    words: list[Word] = []
    feeder: Command | None = None
    length = len(text)
    scan = _TOKEN.scanner(text).match  # type: ignore[attr-defined]
    match = scan()
    pos = 0
    while match is not None:
        kind = match.lastindex
        pos = match.end()
        if kind == 1:
            word = match[1]
            if not words and (word in RESERVED or "=" in word):
                return None
            words.append(Word(word, match.span(1)))
        elif kind == 4:
            feeder = _finish(words, commands, feeder, match[4])
            if not words and match[4][0] != "\n":
                return None
            words = []
        else:
            words.append(
                Word(match[kind], match.span(), True, True)
                if text[match.start()] in "'\""
                else _quoted(match, kind)
            )
        if pos >= length:
            break
        match = scan()
    if pos < length and text[pos:].strip(" \t"):
        return None
    _finish(words, commands, feeder, "")
    return commands


def _quoted(match: re.Match[str], kind: int) -> Word:
    start, end = match.span(kind)
    return Word(match[kind], (start - 1, end + 1), True, True)


def _finish(
    words: list[Word], commands: list[Command], feeder: Command | None, operator: str
) -> Command | None:
    """Add the command of these words; give it back where it feeds the next one."""
    if not words:
        return feeder if operator[:1] == "\n" else None
    span = (words[0].span[0], words[-1].span[1])
    command = Command(words[0], tuple(words[1:]), span, (), (), PLAIN, feeder)
    commands.append(command)
    return command if operator == "|" else None
