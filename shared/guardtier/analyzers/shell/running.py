"""Runner: records a command, and reads all that the command itself runs."""

from __future__ import annotations

import re
from dataclasses import replace

from guardtier.analyzers.shell import spelling
from guardtier.analyzers.shell.model import Code, Command, Context, Language, Span, Word
from guardtier.analyzers.shell.output import Output
from guardtier.analyzers.shell.state import Locate, State
from guardtier.analyzers.shell.unwrap import Inner, code_texts, inners
from guardtier.analyzers.shell.variables import UNKNOWN, Variables
from guardtier.analyzers.shell.words import FED
from guardtier.analyzers.shell.wrappers import DECLARING, Program, program_of

DEEPEST = 8  #: texts in texts: sh -c "sh -c …", echo … | base64 -d | sh
DECODED = 4  #: … of which so many were hidden
WRAPPERS = 12  #: wrappers around one command
SEARCHED = 20_000  #: characters in which a text is looked for, to say where it stands
INPUTS = 500  #: different arguments that come in through xargs

_INPUT = frozenset({"-", "/dev/stdin", "-s", "/proc/self/fd/0", "/dev/fd/0"})
_SPACE = re.compile(r"\s")
_PLACEHOLDERS = frozenset({"{}", "%"})


#: Languages of scripts that a text writes and then runs; Python's are read by its own analyzer.
_WRITTEN: dict[str, Language] = {"node": "node", "ruby": "ruby", "perl": "perl", "php": "php"}


class Runner:
    """Runs nothing: follows what would be run, ``depth`` texts deep."""

    def __init__(self, state: State, depth: int) -> None:
        self.state = state
        self.depth = depth

    def emit(self, command: Command, wrapped: int = 0) -> None:
        """Record a command, then all that it runs."""
        state = self.state
        program = command.program
        if command.name is not None and command.name.span in state.decoded_words:
            command = self._renewed(command, replace(command.context, decoded=True))
        if wrapped and command.name is not None:
            self._spelling(command.name)
        state.commands.append(command)
        if not program or UNKNOWN in program or program in _PLACEHOLDERS:
            if command.name is not None:
                state.computed.append(command.span)
            return
        if state.files and command.name is not None:
            self._written(command, command.name)
        if command.redirects or program == "tee":
            self._remember(command)
        if program in DECLARING:
            declare(command, state.variables)
            return
        entry = program_of(program)
        if entry is not None:
            self._unwrap(command, entry, wrapped)

    def _spelling(self, name: Word) -> None:
        """``sudo r''m``: to sudo it was an argument."""
        source = self.state.original[slice(*name.span)]
        one = source != name.text and len(source) < 80 and not _SPACE.search(source)
        if one and spelling.hides(source, [name], is_name=True):
            self.state.obscured.append(name.span)

    def _renewed(self, command: Command, context: Context) -> Command:
        renewed = replace(command, context=context)
        self.state.replace(command, renewed)
        return renewed

    def _unwrap(self, command: Command, entry: Program, wrapped: int) -> None:
        if wrapped >= WRAPPERS:
            self.state.cut = True
            return
        found = False
        for inner in inners(entry, command.args):
            found = True
            self._inner(command, inner, wrapped)
        if entry.stdin and (not found if entry.command or entry.text else _reads_stdin(command, entry)):
            self._from_stdin(command, entry)

    def _inner(self, command: Command, inner: Inner, wrapped: int) -> None:
        context = command.context.within(command.program, **dict.fromkeys(inner.sets, True))
        if inner.text is not None:
            variables = self.state.variables
            before = variables.called([word.text for word in inner.given]) if inner.given else None
            self._text(inner.text, inner.source, inner.language, context)
            if before is not None:
                variables.called(before)
            return
        stdin = self.state.stdin.get(id(command)) if inner.takes_input else None
        if stdin is None:
            self._wrapped(command, inner.words, context, wrapped)
            return
        for words in self._with_input(inner.words, command, stdin.text):
            self._wrapped(command, words, context, wrapped)

    def _wrapped(self, command: Command, words: tuple[Word, ...], context: Context, wrapped: int) -> None:
        span = (words[0].span[0], max(words[-1].span[1], words[0].span[1]))
        found = Command(
            words[0], words[1:], span, command.redirects, (), context, command.piped_from, command.body
        )
        self.state.replace(command, found)
        self.emit(found, wrapped + 1)

    def _with_input(self, words: tuple[Word, ...], command: Command, text: str) -> list[tuple[Word, ...]]:
        """``echo / | xargs rm -rf``: the command with the arguments that come in."""
        sign = _placeholder(command)
        inputs = list(dict.fromkeys(text.split() if sign is None else text.split("\n")))
        self.state.cut = self.state.cut or len(inputs) > INPUTS
        found = [one for one in inputs[:INPUTS] if one]
        if sign is None:
            return [(*words, *(Word(one.strip("'\""), command.span) for one in found))]
        return [tuple(replace(word, text=word.text.replace(sign, one)) for word in words) for one in found]

    def _text(
        self, text: str, source: tuple[Word, ...], language: Language | None, context: Context
    ) -> None:
        state = self.state
        if not text.strip():
            return
        span = (source[0].span[0], max(source[-1].span[1], source[0].span[1]))
        at = self._at(text, *span)
        if at < 0 and state.decoded and any(part in text for part in state.decoded):
            context = replace(context, decoded=True)
            state.obscured.append(span)
        if language is not None:
            self._code(language, text, (at, at + len(text)) if at >= 0 else span, context)
        else:
            self.shell(text, span, at, context)

    def _code(self, language: Language, text: str, span: Span, context: Context) -> None:
        state = self.state
        state.code.append(Code(language, text, span, context))
        entry = program_of(context.wrappers[-1])
        if entry is None or not entry.shell_in_code:
            return
        texts, more = code_texts(entry, text)
        state.cut = state.cut or more
        for found in texts:
            self.shell(found, span, self._at(found, *span), context)

    def shell(self, text: str, span: Span, at: int, context: Context) -> None:
        """Read shell text inside; ``at`` is where it stands in the original as it is, or -1."""
        state = self.state
        state.texts -= 1
        state.characters -= len(text)
        deepest = DECODED if context.decoded else DEEPEST
        if self.depth >= deepest or state.texts < 0 or state.characters < 0:
            state.cut = True
            return
        locate: Locate = (lambda a, b: span) if at < 0 else (lambda a, b: (a + at, b + at))
        state.read(text, locate, context, self.depth + 1)

    def _from_stdin(self, command: Command, entry: Program) -> None:
        """``… | sh``, ``sh <<EOF``, ``python3 - <<EOF``, ``ssh HOST <<EOF``."""
        state = self.state
        stdin = state.stdin.get(id(command))
        if stdin is None:
            return
        text = stdin.text
        hidden = stdin.decoded or any(part in text for part in state.decoded)
        sets: dict[str, bool] = dict.fromkeys(
            entry.command.sets if entry.command else entry.text_sets, True
        )
        if hidden:
            sets["decoded"] = True
        context = command.context.within(command.program, **sets)
        span, at = self._where(command, stdin)
        if hidden:
            state.obscured.append(span)
            at = -1
        if entry.stdin == "shell":
            self.shell(text, span, at, context)
        elif entry.stdin:
            self._code(entry.stdin, text, (at, at + len(text.rstrip("\n"))) if at >= 0 else span, context)

    def _at(self, text: str, start: int, end: int) -> int:
        """Where a text stands as it is, within a span of the original; -1 where it does not."""
        original = self.state.original
        for near in (start, start + 1):  # in quotes, mostly
            if original.startswith(text, near) and near + len(text) <= end:
                return near
        return original.find(text, start, end) if end - start <= SEARCHED else -1

    def _where(self, command: Command, stdin: Output) -> tuple[Span, int]:
        """Where the text of the standard input stands."""
        for redirect in command.redirects:
            found = self.state.bodies.get(id(redirect))
            if found is not None:
                return found, self._at(stdin.text, *found)
        start = command.span[0]
        feeder = command.piped_from
        for _ in range(16):
            if feeder is None:
                break
            start = min(start, feeder.span[0])
            feeder = feeder.piped_from
        span = (start, command.span[1])
        at = self._at(stdin.text, *span)
        if at < 0 and stdin.data.endswith(b"\n"):
            at = self._at(stdin.text[:-1], *span)
        return span, at

    def _written(self, command: Command, name: Word) -> None:
        """A script that this very text wrote, and runs now."""
        state = self.state
        script: Word | None = name if "/" in name.text else None
        entry = program_of(command.program)
        language = _WRITTEN.get(entry.stdin) if entry is not None else None
        if entry is not None and (entry.stdin == "shell" or language) and script is None:
            script = next((word for word in command.args if not word.text.startswith("-")), None)
        if entry is not None and entry.reads:
            language = entry.reads
            script = next((word for word in command.args if state.written(word.text) is not None), None)
        output = state.written(script.text) if script is not None else None
        if output is None or script is None:
            return
        state.forget(script.text)
        context = command.context.within(command.program)
        if output.decoded:
            context = replace(context, decoded=True)
            state.obscured.append(script.span)
        if language is not None and script is not name:
            self._code(language, output.text, script.span, context)
            return
        self.shell(output.text, script.span, -1, context)

    def _remember(self, command: Command) -> None:
        """What it writes to files, should the same text run them."""
        for redirect in command.redirects:
            if (
                redirect.kind in ("write", "append")
                and redirect.target is not None
                and redirect.fd in (None, 1)
            ):
                self.state.write(redirect.target.text, command, append=redirect.kind == "append")
        if command.program == "tee":
            for word in command.args:
                self.state.write(word.text, command, append=True)


def _placeholder(command: Command) -> str | None:
    """What ``xargs -I{}`` replaces."""
    for index, word in enumerate(command.args[:8]):
        if word.text.startswith(("-I", "-i", "--replace")):
            given = word.text.partition("=")[2] if word.text[1] == "-" else word.text[2:]
            if not given and word.text == "-I" and index + 1 < len(command.args):
                given = command.args[index + 1].text
            return given or "{}"
    return None


def declare(command: Command, variables: Variables) -> None:
    """``export A=b``, ``set -- a b``: what later words may stand for."""
    args = command.args
    if command.program == "set":
        if args and args[0].text == "--":
            variables.arguments([word.text for word in args[1:]])
        return
    for word in args:
        name, equals, value = word.text.partition("=")
        if equals and name.isidentifier():
            variables.set(name, value)


def _reads_stdin(command: Command, entry: Program) -> bool:
    """True where no argument names a script or holds the code."""
    for word in command.args:
        text = word.text
        if text in _INPUT or text.startswith(FED):
            return True
        if not text.startswith(("-", "+")):
            return entry.stdin == "sql" or command.program in ("at", "batch")
        if text in entry.code or (entry.cluster and text[1:2] != "-" and entry.cluster in text):
            return False
        if text == "-m" and entry.stdin == "python":
            return False
    return True
