"""Follows data through a script: what was fetched and then runs, what is secret and then leaves."""

from __future__ import annotations

import re
from bisect import bisect_left

from guardtier.analyzers.effects.engine import Done, rate_command
from guardtier.analyzers.effects.find import FINDERS, handed_on
from guardtier.analyzers.effects.hosts import host_of
from guardtier.analyzers.effects.listed import is_narrowing, lists_every, narrowed
from guardtier.analyzers.effects.rate import Rated
from guardtier.analyzers.effects.sequels import (
    leaves,
    runs_decoded,
    runs_fetched,
    stops_control,
    stops_every,
)
from guardtier.analyzers.effects.targets import normal
from guardtier.analyzers.effects.whereabouts import CHANGING, Whereabouts
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell.model import Command, Script, Span, Word

FETCHED, SECRET, DECODED, CONTROL, EVERY = 1, 2, 4, 8, 16

_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")
_LOOP = re.compile(r"\bfor\s+([A-Za-z_]\w*)\s+in\s([^;\n]*)")
_DEEPEST = 3  #: aliases in aliases
_STEPS = 4  #: commands that a pipeline is followed back from xargs to its find
_PRINTING = frozenset({"echo", "printf", "ls"})
_STDIN = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_REPLACING = ("-I", "-i", "-J", "--replace")
_SHOWING = frozenset({"curl", "http", "https", "xh", "lynx", "w3m"})
_SAVES = re.compile(r"-[A-Za-z#]*O|--remote-name|--download$")
_TOUCHING = FINDERS | CHANGING | {"xargs", "alias"}  #: what Flow itself looks at


class Flow:
    """The state of one script, command by command, in the order of the text."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self._text = text
        self._depth = depth
        self.touched: list[Span] = []  #: the commands that there is something to say of
        self.done: list[Done] = []  #: what each command did
        self.found: list[Rated] = []  #: what there is to say of them
        self._alone = False  #: whether one command is all, and nothing below was needed

    def _begin(self) -> None:
        self._alone = False
        self._where = Whereabouts()
        self._finds: list[tuple[Span, list[Word]]] = []
        self._replaces = False  #: whether the last xargs puts what it reads in a place of its own
        self._carried: dict[Span, int] = {}  #: what the pipeline up to this command carries
        self._around: list[Span] = []  #: what the last command stands in: the sudo of ``sudo curl``
        self._files: dict[str, int] = {}  #: what is in the files that were written
        self._variables: dict[str, int] = {}
        self._marked: dict[int, list[int]] = {}  #: flag → where commands that have it begin
        self._loops: dict[str, Span] = {}  #: variable → what a loop puts into it

    def rate(self, script: Script) -> list[Rated]:
        found, done = self.found, self.done
        if len(script.commands) == 1:  # most of what agents do: nothing flows
            alone = script.commands[0]
            if (program := alone.program) not in _TOUCHING and not alone.context.each:
                self._alone = True
                done.append(rate_command(alone, program, "", found))
                if found:
                    self.touched.append(alone.span)
                return found
        self._begin()
        for command in script.commands:
            before = len(found)
            program = command.program
            handing = command.context.each or program in FINDERS or program == "xargs"
            fed = self._fed(command, program) if handing else None
            self._where.leave(command)
            done.append(rate_command(command, program, self._where.here, found, fed))
            if len(found) > before:
                self.touched.append(command.span)
            self._where.follow(command, program)
            if program == "alias":
                self._rate_aliases(command, found)
        self._where.leave(None)
        if len(done) > 1 and any(map(_own, done)):  # else there is nothing that could flow
            self._mark(done)
            for each in done:
                self._follow(each, found)
        return found

    @property
    def fetched(self) -> list[str]:
        """The files that now hold what came from the network."""
        if self._alone:
            self._begin()
        if len(self.done) == 1:
            self._carry(self.done[0], _own(self.done[0]))
        shown = {
            self._named(word) for done in self.done if _only_shows(done) for word in done.effects["receive"]
        }
        return [path for path, flags in self._files.items() if flags & FETCHED and path not in shown]

    def _rate_aliases(self, command: Command, found: list[Rated]) -> None:
        """Rates what ``alias name='command'`` stands for; findings point to the alias."""
        for word in command.args if self._depth < _DEEPEST else ():
            text = word.text.partition("=")[2]
            if text:
                inner = Flow(text, self._depth + 1).rate(read(text))
                found += [rated._replace(span=word.span) for rated in inner]

    def _fed(self, command: Command, program: str) -> list[Word] | None:
        """What find or xargs puts behind the words of a command that they run."""
        if program in FINDERS:
            self._finds.append((command.span, handed_on(command)))
        if program == "xargs":
            self._replaces = any(word.text.startswith(_REPLACING) for word in command.args)
        if not command.context.each or not command.context.wrappers or self._hands_nothing(command):
            return None
        if self._finds and _found_by(command):
            return self._finds[-1][1]
        if command.context.wrappers[-1] not in ("xargs", "parallel"):
            return None
        source = command.piped_from
        for _ in range(_STEPS):
            if source is None:
                break
            if source.program in FINDERS:
                return handed_on(source)
            if source.program in _PRINTING:
                return _printed(source)
            source = source.piped_from
        return [Word("\x00", command.span, False)]

    def _hands_nothing(self, command: Command) -> bool:
        """find -exec and xargs -I put a name only where there is a place for it; xargs and fd append it."""
        wrapper = command.context.wrappers[-1]
        placed = self._replaces if wrapper == "xargs" else wrapper in ("find", "gfind")
        return placed and not _has_a_place(command)

    def _mark(self, done: list[Done]) -> None:
        """Where in the text something is fetched or a secret is read, for the substitutions around it."""
        every: list[int] = []
        for each in done:
            flags = _own(each)
            if flags & EVERY:
                every.append(each.command.span[0])
                flags &= ~EVERY
            for flag in (FETCHED, SECRET, DECODED, CONTROL):
                if flags & flag:
                    self._marked.setdefault(flag, []).append(each.command.span[0])
        if every and (left := set(every) - narrowed(each.command for each in done)):
            self._marked[EVERY] = list(left)
        for begins in self._marked.values():
            begins.sort()
        if not {CONTROL, EVERY}.isdisjoint(self._marked):
            self._loops = {loop[1]: loop.span(2) for loop in _LOOP.finditer(self._text)}

    def _follow(self, done: Done, found: list[Rated]) -> None:
        command, effects = done.command, done.effects
        self._stand_in(command.span)
        source = command.piped_from
        flags = self._carried.get(source.span, 0) if source is not None else 0
        if flags & EVERY and is_narrowing(command):
            flags &= ~EVERY
        if self._files:
            for word in (*effects.get("read", ()), *effects.get("collect", ()), *effects.get("send", ())):
                flags |= self._files.get(self._path(word.text.lstrip("@")), 0)
        if "execute" in effects:
            self._check_execute(done, flags, found)
        if self._marked:
            for word in command.args:
                if not word.known:
                    flags |= self._inside(word)
        if flags & CONTROL and "stop" in effects:  # ps | grep falcond | xargs kill, kill $(pgrep falcond)
            found.append(stops_control(command))
        if flags & EVERY and "stop" in effects:  # ps -e | awk '{print $2}' | xargs kill
            found.append(stops_every(command))
        if flags & SECRET and "send" in effects:
            found.append(leaves(command))
        self._carry(done, flags | _own(done))

    def _stand_in(self, span: Span) -> None:
        """Notes which commands this one stands in; they come before it."""
        while self._around and not (self._around[-1][0] <= span[0] and span[1] <= self._around[-1][1]):
            self._around.pop()
        self._around.append(span)

    def _carry(self, done: Done, flags: int) -> None:
        """Notes what the pipeline, the variables and the files hold after this command."""
        if self._marked:
            for name, word in done.command.assignments:
                if not word.known:
                    self._variables[name] = self._variables.get(name, 0) | self._inside(word)
        if not flags:
            return
        self._carried[done.command.span] = self._carried.get(done.command.span, 0) | flags
        if done.command.context.wrappers:  # what it prints, ``sudo`` and ``timeout 5`` before it print
            for around in self._around:
                self._carried[around] = self._carried.get(around, 0) | flags
        written = done.effects.get("write", [])
        for word in written:
            self._files[self._path(word.text)] = flags
        if flags & FETCHED and not written:
            for word in done.effects.get("receive", ()):
                self._files[self._named(word)] = FETCHED

    def _check_execute(self, done: Done, incoming: int, found: list[Rated]) -> None:
        words = done.effects["execute"]
        files = [word for word in words if word.text not in _STDIN]
        flags = incoming if len(files) < len(words) or not words or files[0] is done.command.name else 0
        if self._files:
            for word in files:
                flags |= self._files.get(self._path(word.text), 0)
        if self._marked:
            for word in (*files, *done.command.args):
                if not word.known:
                    flags |= self._inside(word)
        if flags & FETCHED:
            found.append(runs_fetched(done.command))
        elif flags & DECODED:
            found.append(runs_decoded(done.command))

    def _inside(self, word: Word) -> int:
        """What the substitutions and variables in a word carry."""
        start, end = word.span
        flags = 0
        for flag, begins in self._marked.items():
            at = bisect_left(begins, start)
            if at < len(begins) and begins[at] < end:
                flags |= flag
        if self._variables:
            for name in _VARIABLE.findall(self._text[start:end]):
                flags |= self._variables.get(name, 0)
        if self._loops:
            for name in _VARIABLE.findall(self._text[start:end]):
                if (span := self._loops.pop(name, None)) is not None:
                    held = self._inside(Word("", span, False)) & (CONTROL | EVERY)
                    self._variables[name] = self._variables.get(name, 0) | held
                    flags |= held
        return flags

    def _named(self, address: Word) -> str:
        """The file that a download of this address makes."""
        return self._path(address.text.partition("?")[0].rpartition("/")[2])

    def _path(self, text: str) -> str:
        return normal(
            f"{self._where.here}/{text}" if self._where.here and text[:1] not in ("/", "~") else text
        )


def _found_by(command: Command) -> bool:
    """Whether find runs it, or gives its ``{}`` to the shell that does (``sh -c 'rm "$1"' _ {}``)."""
    wrappers = command.context.wrappers
    if wrappers[-1] in FINDERS:
        return True
    return not FINDERS.isdisjoint(wrappers) and _has_a_place(command)


def _has_a_place(command: Command) -> bool:
    """Whether find's ``{}`` stands among its words, or in where it writes."""
    targets = (redirect.target for redirect in command.redirects)
    return any(word is not None and "{}" in word.text for word in (*command.args, *targets))


def flow_of(script: Script, text: str) -> Flow:
    """The data flow of a script, followed to its end."""
    flow = Flow(text)
    flow.rate(script)
    return flow


def _printed(source: Command) -> list[Word]:
    """The words that ``echo a b | xargs rm`` hands on; of ``ls`` what can't be told, in its directory."""
    words = [word for word in source.args if word.text[:1] != "-"]
    if source.program != "ls":
        return [Word(part, word.span) for word in words for part in word.text.split()]
    return [Word(f"{word.text}/\x00", word.span, False) for word in words] or [
        Word("\x00", source.span, False)
    ]


def _only_shows(done: Done) -> bool:
    """Whether what it receives goes to its output (curl without -O), or comes from this machine."""
    if "receive" not in done.effects or done.effects.get("write"):
        return False
    if all(host_of(word.text).name == "local" for word in done.effects["receive"]):
        return True
    saves = any(_SAVES.match(word.text) for word in done.command.args)
    return done.program in _SHOWING and not saves


def _own(done: Done) -> int:
    flags = SECRET if done.sensitive else 0
    if "receive" in done.effects:
        flags |= FETCHED
    if "decode" in done.effects:
        flags |= DECODED
    if "single_out" in done.effects:
        flags |= CONTROL
    if done.program == "ps" and lists_every(done.command):
        flags |= EVERY
    return flags
