"""Part: one text — the whole, or what a wrapper runs — from raw commands to commands."""

from __future__ import annotations

from dataclasses import replace

from guardtier.analyzers.shell.model import Command, Context, Redirect, Word
from guardtier.analyzers.shell.output import Output, as_output
from guardtier.analyzers.shell.pieces import Pieces
from guardtier.analyzers.shell.running import DEEPEST, Runner
from guardtier.analyzers.shell.state import Locate, State
from guardtier.analyzers.shell.syntax import Block, Raw, Region
from guardtier.analyzers.shell.variables import ALTERNATIVE, CLOSE, OPEN, UNKNOWN
from guardtier.analyzers.shell.words import FED, Expander
from guardtier.analyzers.shell.wrappers import program_of

NESTED = 40  #: substitutions in substitutions; deeper ones are read, but what they print is not asked
#: Calls of a function in itself that are followed; in the next each argument may be any of them.
RECURSION = 3
COMMANDS = 1_000  #: commands of one text, wherever they stand


class Part:
    """Reads the blocks of one text."""

    def __init__(
        self,
        state: State,
        text: str,
        regions: dict[int, Region],
        locate: Locate,
        context: Context,
        depth: int,
    ) -> None:
        self.state = state
        self.context = context
        self.depth = depth
        self.expander = Expander(text, regions, state.variables, self.substitute, locate, inner=depth > 0)
        self.pieces = Pieces(state, self.expander)
        self.runner = Runner(state, depth)
        self.inherited: Command | None = None  # what feeds the first command in a >(…)
        self.feeding: Command | None = None  # what feeds the command that is being read
        self.fed: Command | None = None  # what ran in the substitution that was read last
        self.fed_output: Output | None = None  # … and what it printed

    def block(self, block: Block, first: int = 0, last: int | None = None) -> list[Command | None]:
        """Read these commands; one for each raw one, None where it makes none."""
        done: list[Command | None] = [None] * first
        for raw in block.raws[first:last]:
            if raw.function:
                self.state.functions[raw.function] = (self, block, (raw.words[0].start, raw.words[0].end))
                done.append(None)
            else:
                done.append(self._raw(raw, done))
        return done

    def substitute(self, what: Block | str, start: int) -> str | None:
        """Read what stands in a substitution; what it prints, where that can be told."""
        state = self.state
        if isinstance(what, str):
            self._backquoted(what, start)
            return None
        if state.nested >= NESTED:
            state.pending.append((self, what))
            return None
        state.nested += 1
        outer, inherited = self.fed, self.inherited
        receives = self.expander.text[start] == ">"
        self.inherited = self.feeding if receives else None
        hidden = self.expander.hidden
        done = self.block(what)
        self.expander.hidden = hidden
        state.nested -= 1
        self.inherited = inherited
        if receives:
            self.fed = outer
            return None
        self.fed = next((one for one in reversed(done) if one is not None), None)
        self.fed_output = output = self._printed(done)
        if output is None:
            return None
        if output.decoded and len(state.decoded) < 16 and output.text.strip():
            state.decoded[output.text.strip()] = None
        return output.text

    def _backquoted(self, text: str, start: int) -> None:
        state = self.state
        if self.depth >= DEEPEST:
            state.cut = True
            return
        span = self.expander.locate(start, start + len(text))
        state.read(text, lambda a, b: span, self.context, self.depth + 1)

    def _printed(self, done: list[Command | None]) -> Output | None:
        found: list[Output] = []
        fed = {
            id(command.piped_from)
            for command in done
            if command is not None and command.piped_from is not None
        }
        for command in done:
            if command is None or command.name is None or id(command) in fed:
                continue
            output = self.state.printed(command)
            if output is None:
                return None
            if command.program in ("command", "which", "type"):
                return output
            found.append(output)
        if not found:
            return None
        return Output(b"".join(output.data for output in found), any(output.decoded for output in found))

    def _raw(self, raw: Raw, done: list[Command | None]) -> Command | None:
        if len(self.state.commands) > COMMANDS:
            self.state.cut = True
            return None
        if raw.loop:
            self.pieces.loop(raw)
            return None
        self.fed = None
        feeder = self.feeding = self._feeder(raw, done)
        raws = raw.words
        first = self.expander.text[raws[0].start : raws[0].end] if raws else ""
        assignments = self.pieces.assignments(raw) if "=" in first else ()
        words = self.pieces.words(raws[len(assignments) :] if assignments else raws)
        redirects = tuple([self.pieces.redirect(one) for one in raw.redirects]) if raw.redirects else ()
        stdin = self._stdin(raw, redirects, done) if raw.feeds or redirects else None
        if self.fed is not None and feeder is None and _takes_all(words, redirects):
            feeder = self.fed
            stdin = self.fed_output if stdin is None and _is_fed(words, redirects) else stdin
        if not words and not assignments and not redirects:
            return None
        context = replace(self.context, each=True) if raw.each else self.context
        span = self.expander.locate(raw.start, raw.end)
        name = words[0] if words else None
        body = None if stdin is None else stdin.text
        command = Command(name, tuple(words[1:]), span, redirects, assignments, context, feeder, body)
        self._emit(command, stdin)
        return command

    def _emit(self, command: Command, stdin: Output | None) -> None:
        if stdin is not None:
            self.state.stdin[id(command)] = stdin
        self.runner.emit(command)
        if self.state.functions:
            self._call(command)

    def _call(self, command: Command) -> None:
        """A call of a function that this text defines: its body once more, with these arguments."""
        state = self.state
        name = command.program
        found = state.functions.get(name)
        inside = state.inside.get(name, 0)
        if found is None or not command.args or inside > RECURSION:
            return
        if state.calls <= 0:
            state.cut = True
            return
        state.calls -= 1
        part, block, (first, last) = found
        given = [word.text for word in command.args]
        if inside == RECURSION and len(given) > 1:
            given = [OPEN + ALTERNATIVE.join(dict.fromkeys(given)) + CLOSE] * len(given)
        outer = state.variables.arguments(given)
        state.inside[name] = inside + 1
        part.block(block, first, last)
        state.inside[name] = inside
        state.variables.arguments(outer)

    def _feeder(self, raw: Raw, done: list[Command | None]) -> Command | None:
        if raw.feeds is None:
            feeder, self.inherited = self.inherited, None
            return feeder
        return next((one for one in reversed(done[raw.feeds[0] : raw.feeds[1]]) if one is not None), None)

    def _stdin(
        self, raw: Raw, redirects: tuple[Redirect, ...], done: list[Command | None]
    ) -> Output | None:
        for redirect in reversed(redirects):
            if redirect.body is not None:
                return as_output(redirect.body)
            if redirect.kind == "read":
                return self.state.written(redirect.target.text) if redirect.target is not None else None
        if raw.feeds is None:
            return None
        return self._printed(done[raw.feeds[0] : raw.feeds[1]])


def _takes_all(words: list[Word], redirects: tuple[Redirect, ...]) -> bool:
    """``sh -c "$(…)"``, ``sh <(…)``, ``sh < <(…)``: what runs there comes from what was read there."""
    if _is_fed(words, redirects):
        return True
    entry = program_of(words[0].text.rpartition("/")[2]) if words else None
    runs = entry is not None and bool(entry.stdin or (entry.command and entry.command.joined))
    return runs and any(word.text.lstrip().startswith(UNKNOWN) for word in words[1:])


def _is_fed(words: list[Word], redirects: tuple[Redirect, ...]) -> bool:
    """``sh <(…)``, ``sh < <(…)``."""
    targets = [
        redirect.target for redirect in redirects if redirect.kind == "read" and redirect.target is not None
    ]
    return any(word.text.startswith(FED) for word in [*words[1:], *targets])
