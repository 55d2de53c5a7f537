"""Runs: what a Python text runs: programs, by command lines or words, and code that is text until then."""

from __future__ import annotations

import re

from guardtier.analyzers.code.aftermath import Aftermath
from guardtier.analyzers.code.calls import Arguments, command_lines
from guardtier.analyzers.code.fold import Folder
from guardtier.analyzers.code.names import Names
from guardtier.analyzers.code.rules import Call
from guardtier.analyzers.code.source import Report
from guardtier.analyzers.code.value import HOLE, Pairs, Value, known
from guardtier.analyzers.effects.variables import rate_variable
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell_analyzer import rate_script
from guardtier.analyzers.view import Span
from guardtier.risk import SecurityRisk

MEDIUM, HIGH, UNKNOWN = SecurityRisk.MEDIUM, SecurityRisk.HIGH, SecurityRisk.UNKNOWN

MAX_RUN = 1 << 15  #: characters of different commands and code that are read for one text
MAX_LAYERS = 4  #: of text that is run as code, within text that is run as code
_EACH = 100  #: characters that reading anything costs at least
_DIRECTORIES = 4  #: that a text changes to, of which relative paths are seen from
_INTERPRETER = re.compile(
    r"sh$|^(?:python|perl|ruby|node|php|env|sudo|su|xargs|nohup|eval|cmd|powershell|pwsh)"
)
_PROBE = re.compile(r"(?:\S*/)?(?:f?ping6?|arping|nc|ncat|netcat|nmap|traceroute)\s")
_END = "GUARDTIER_END_OF_INPUT"


class Runs:
    """Rates what is run by the calls of one text."""

    def __init__(self, report: Report, folder: Folder, after: Aftermath, layer: int) -> None:
        self._report = report
        self._folder = folder
        self._after = after
        self._layer = layer
        self._seen: set[str] = set()
        self._left = MAX_RUN
        self.inside: list[str] = []  #: directories that it goes to

    def enter(self, names: Names) -> None:
        """Directories that it changes to, wherever in the text: relative paths may mean those."""
        if "chdir" not in self._report.text and self._report.text.isascii():
            return
        for site in names.calls:
            called = getattr(site.node.func, "attr", getattr(site.node.func, "id", ""))
            if called == "chdir" and site.node.args:
                texts = self._folder.value(site.node.args[0]).texts
                self.inside += [text for text in texts if text[:1] in ("/", "~") and HOLE not in text]
        del self.inside[_DIRECTORIES:]

    def command(self, value: Value, span: Span) -> None:
        if not _fixed_program(value) and self._by_origin(value, span):
            return
        lines = command_lines(value)
        for line in [*lines, *(f"cd {inside} && {line}" for inside in self.inside for line in lines)]:
            self._after.ran.append((span, line))
            self._shell(line, span)
        if "many" in value.marks:
            self.too_much(span)
        if "counted" in value.marks and any(map(_PROBE.match, lines)):
            message = "Tries one address or port after another (ATT&CK T1046)."
            self._report.add("python.network.scan", HIGH, message, span)
        if lines:
            self._report.add("python.run.command", MEDIUM, "Runs another program (ATT&CK T1059).", span)
        if not lines or any(line.startswith("$unknown") for line in lines):
            self._untold(span)

    def _untold(self, span: Span) -> None:
        self._after.computed.append(span)
        message = "Runs a command that can't be told beforehand (ATT&CK T1059)."
        self._report.add("python.run.computed", UNKNOWN, message, span)

    def _shell(self, line: str, span: Span) -> None:
        if self._is_new(line, span):
            script = read(line)
            self._report.adopt(rate_script(script, line), span)
            for code in script.code:
                if code.language == "python":
                    self.inner(code.text, span)

    def _is_new(self, text: str, span: Span) -> bool:
        """Whether the text is still to be read; what is too much is said to be."""
        if text in self._seen:
            return False
        self._seen.add(text)
        self._left -= len(text) + _EACH
        if self._left < 0:
            self.too_much(span)
        return self._left >= 0

    def too_much(self, span: Span) -> None:
        message = "Runs or touches more different things than can be followed (ATT&CK T1027). Split it up."
        self._report.add("python.obscured.size", HIGH, message, span)

    def words(self, words: list[Value], span: Span) -> None:
        consts = tuple(value.consts[0] if value.consts else HOLE for value in words)
        marks = frozenset().union(*(value.marks for value in words))
        self.command(Value((consts,) if consts else (), False, marks), span)

    def program(self, rule: Call, args: Arguments, span: Span) -> None:
        """The words of a program: given one by one, or to one that is known as a list or a text."""
        words = args.given[int(rule.argv[0]) :]
        if rule.program:
            first = [known(word) for word in rule.program.split()]
            given = [item for value in words for item in _each(value)]
            options = [known(f"--{name.replace('_', '-')}") for name, value in args.named.items()
                       if value.consts[:1] == (True,)]  # fmt: skip
            words = [*first, *options, *given]
        self.words(words, span)

    def streams(self, rule: Call, args: Arguments, span: Span) -> None:
        """What a program that is run reads, and where that comes from; files and variables."""
        if any("network" in value.marks for value in args.at(rule.streams)):
            message = "Connects a program's input and output to the network (ATT&CK T1059)."
            self._report.add("python.shell.reverse", HIGH, message, span)
        for value in args.at(rule.input):
            for line in command_lines((args.at(rule.command) or [args.on])[0]):
                for text in value.texts:
                    self._shell(f"{line} <<'{_END}'\n{text}\n{_END}\n", span)
        for value in args.at(rule.runs):
            self._after.ran.extend((span, text) for text in value.texts)
            if all(not text.strip(HOLE) for text in value.texts):
                self._untold(span)
        if any("network" in value.marks for value in args.at(rule.input)):
            for line in command_lines((args.at(rule.command) or [args.on])[0]):
                if _INTERPRETER.search(line.split(" ")[0].rpartition("/")[2]):
                    self._by_origin(Value(marks=frozenset({"network"})), span)
        if rule.variable:
            self._variables_of(rule, args, span)
        self._after.contents.extend((span, text) for value in args.at(rule.content) for text in value.texts)

    def _variables_of(self, rule: Call, args: Arguments, span: Span) -> None:
        """One variable by its name and its value, or a dictionary of them."""
        if len(rule.variable) > 1 and len(args.given) > 1:
            self.variables(args.given[0].texts, args.given[1], span)
            return
        named = dict(args.named) if "named" in rule.variable else {}
        for value in args.at(rule.variable):
            for const in value.consts:
                if isinstance(const, Pairs):
                    named |= {str(name): known(one) for name, one in zip(const.keys, const, strict=False)}
        for name, one in named.items():
            self.variables([name], one, span)

    def _by_origin(self, value: Value, span: Span) -> bool:
        """What is run comes from the network, or was hidden."""
        if "network" in value.marks:
            message = "Runs what comes from the network (ATT&CK T1059.006). Save it, read it, then run it."
            self._report.add("python.run.remote", HIGH, message, span)
        elif "decoded" in value.marks:
            message = "Runs what was encoded to hide it (ATT&CK T1027.010)."
            self._report.add("python.run.hidden", HIGH, message, span)
        return "network" in value.marks

    def code(self, value: Value, span: Span) -> None:
        """exec, eval: of a known text, what that does; else by where it comes from."""
        self._by_origin(value, span)
        texts = value.texts
        for text in texts:
            self.inner(text, span)
        if "many" in value.marks:
            self.too_much(span)
        if not texts or self._layer >= MAX_LAYERS:
            message = "Runs text as code that can't be told beforehand (ATT&CK T1059.006)."
            self._report.add("python.run.code", MEDIUM, message, span)

    def variables(self, names: list[str], value: Value, span: Span) -> None:
        """What setting these variables of the environment does to programs that are run."""
        for name in names:
            for text in value.texts or [HOLE]:
                found = rate_variable(name, text, (0, 0))
                if found is not None:
                    self._report.adopt([found], span)

    def inner(self, text: str, span: Span) -> None:
        """Python within this text: run by it, or written to a file."""
        from guardtier.analyzers.code.reader import rate_text

        if self._layer < MAX_LAYERS and self._is_new(text, span):
            inner = Report(self._report.part, text, self._report.within or span)
            rate_text(inner, self._layer + 1)
            self._report.adopt(inner.findings, span)


def _each(value: Value) -> list[Value]:
    """The words that a list or a command line holds."""
    const = value.consts[0] if value.consts else HOLE
    if isinstance(const, tuple):
        return [known(one) for one in const]
    return [known(one) for one in const.split()] if isinstance(const, str) else [value]


def _fixed_program(value: Value) -> bool:
    """Whether a known program gets the value as its arguments, and does not run them."""
    programs = [const[0] for const in value.consts if isinstance(const, tuple) and const]
    if not programs or len(programs) < len(value.consts):
        return False
    return all(
        isinstance(one, str) and HOLE not in one and not _INTERPRETER.search(one.rpartition("/")[2])
        for one in programs
    )
