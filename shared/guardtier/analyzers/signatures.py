"""SignatureAnalyzer: known shapes of harmful commands and of injected text.

The signatures are data (``signature_data/*.toml``): one more needs no code. They match spellings,
cheaply and at any length; what a command does in truth is for an analyzer that parses it. Text that
an agent merely thinks is never searched for commands.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import Any, ClassVar, NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.signature_data import Corpus, Signature, load
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk, highest

#: Letters in lower case, everything else of ASCII blank: what is left between blanks is a word.
_WORDS = dict.fromkeys(range(128), " ") | {ord(char): char.lower() for char in f"{ascii_letters}{digits}_"}

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)  # ASCII alone: the length stays

# Before commands are searched for, in text of the same length so that spans stay true: what looks
# like a separator and is none (a continued line, an escaped bracket, 2>&1) becomes blank, and the
# quote that opens a command in code (system("…"), ["rm", …]) becomes a line break.
_BLANK_2 = re.compile(r"\\[\n();|&]|&>")
_BLANK_3 = re.compile(r">&[0-9]")
_STARTERS = ("system", "popen", "Popen", "run", "call", "output", "exec", "execSync", "spawn")
_OPENED = re.compile(rf"(?:\[|\((?:{'|'.join(rf'(?<={name}.)' for name in _STARTERS)}))\s*f?(?=[\"']).")
_EDGE = " \t\n;&|(`"
_DIRECTORY = r"(?>/(?>[\w.-]+/)*|\\?)"
_LONGEST_KEY = 64  #: characters of a key in a finding's path; the rest is left out


class Path(NamedTuple):
    """Where a string stands. A link to its parent: spelled out, one long key with 100,000 children
    would need gigabytes."""

    key: str | int
    parent: Path | None = None


def shown(path: Path) -> str:
    """The path as a finding's field, ``arguments.files.0``; very long keys are cut."""
    key = str(path.key)
    cut = key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
    return f"{shown(path.parent)}.{cut}" if path.parent else cut


class Part(NamedTuple):
    """One string of an action. ``exact`` is False for an argument list shown as a command line."""

    path: Path
    text: str
    exact: bool = True


class Text:
    """Strings of an action as one text, a line break around each, that knows where each was."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self.raw = "\n".join(["", *[part.text for part in parts], ""])

    @property
    def words(self) -> set[str]:
        return set(self.raw.translate(_WORDS).split())

    @cached_property
    def retouched(self) -> str:
        """The text as commands are searched for in it. Exactly as long as :attr:`raw`."""
        text = _BLANK_3.sub("   ", _BLANK_2.sub("  ", self.raw))
        return _OPENED.sub(lambda match: f"{match[0][:-1]}\n", text)

    @cached_property
    def folded(self) -> str:
        """The retouched text in lower case. Measured: half the time of matching without case."""
        return self.retouched.translate(_LOWER)

    @cached_property
    def raw_folded(self) -> str:
        return self.raw.translate(_LOWER)

    def searched_for(self, signature: Signature) -> str:
        """The form of this text that the signature's patterns are written for."""
        if signature.reads_commands:
            return self.folded if signature.fold else self.retouched
        return self.raw_folded if signature.fold else self.raw

    def place(self, start: int, end: int) -> tuple[str, tuple[int, int] | None]:
        """The field that a match lies in, and its characters there without separators around it."""
        hit = self.raw[start:end]
        start += len(hit) - len(hit.lstrip(_EDGE))
        end -= len(hit) - len(hit.rstrip(_EDGE))
        index = bisect_right(self._starts, start) - 1
        part, first = self._parts[index], self._starts[index]
        span = (start - first, min(end - first, len(part.text)))
        return shown(part.path), span if part.exact else None

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 1
        for part in self._parts:
            starts.append(at)
            at += len(part.text) + 1
        return starts


#: By name: where each command starts and where its name does, in turn. Measured: a tuple for each
#: keeps the garbage collector busy for longer than the search.
Starts = dict[str, list[int]]


class Commands:
    """Finds where the commands in a text begin, in one pass."""

    def __init__(self, wrapper: str) -> None:
        # Measured: the look ahead, for what ends as a wrapper's name must, halves the time.
        step = rf"(?=[\w./!{{\\-]+[ \t=]){_DIRECTORY}(?:{wrapper})"
        self._step = re.compile(step, re.ASCII)
        self._name = re.compile(rf"{_DIRECTORY}([A-Za-z]++)(?!\w*=)", re.ASCII)
        # Behind a separator: wrappers (group 1), the directory, the letters of the name (group 2).
        name = rf"(?:{_DIRECTORY}([A-Za-z]++|(?=[\w.])))?"
        self._command = re.compile(rf"[;&|(`\n][ \t]*+(?=[\w./!{{\\])((?>(?:{step})*)){name}", re.ASCII)

    def starts(self, text: str, names: frozenset[str]) -> Starts:
        """Where the commands with one of these names are.

        A wrapper is a command too. Of those before one command, each name counts once: what a
        pattern wants of it stands anywhere behind it, and 100,000 times ``bash`` stay one search.
        """
        found: Starts = {}
        wrappers: dict[str, dict[str, int]] = {"": {}}  # the same ones are often met again
        for match in self._command.finditer(text):
            if match[1] not in wrappers:
                wrappers[match[1]] = self._names_in(match[1], names)
            for name, offset in wrappers[match[1]].items():
                found.setdefault(name, []).extend((match.start(), match.start(1) + offset))
            if match[2] is not None and (name := match[2].lower()) in names:
                found.setdefault(name, []).extend((match.start(), match.start(2)))
        return found

    def _names_in(self, wrappers: str, names: frozenset[str]) -> dict[str, int]:
        """Where each of these names first stands among the wrappers."""
        first: dict[str, int] = {}
        for step in self._step.finditer(wrappers):
            name = self._name.match(wrappers, step.start())
            if name and name[1].lower() in names:
                first.setdefault(name[1].lower(), name.start(1))
        return first


class Signatures:
    """All signatures behind one index: which words of a text make which of them worth a search."""

    def __init__(self, signatures: tuple[Signature, ...], commands: Commands) -> None:
        self._all = signatures
        self._commands = commands
        self._by_word: dict[str, list[int]] = {}
        for index, one in enumerate(signatures):
            for word in one.words:
                self._by_word.setdefault(word, []).append(index)
        self._words = frozenset(self._by_word)
        self._by_literal = [
            (literal, index) for index, one in enumerate(signatures) for literal in one.literals
        ]
        self._non_ascii = [index for index, one in enumerate(signatures) if one.non_ascii]

    def found_in(self, text: Text, corpora: frozenset[Corpus]) -> list[Finding]:
        """One finding for each signature of these corpora that fires."""
        likely = [one for one in self._likely(text) if one.corpus in corpora]
        names = frozenset().union(*(one.names for one in likely))
        starts = self._commands.starts(text.retouched, names) if names else {}
        found = (_first_command(one, text, starts) or _first(one, text) for one in likely)
        return [finding for finding in found if finding]

    def _likely(self, text: Text) -> list[Signature]:
        likely = {index for word in self._words & text.words for index in self._by_word[word]}
        likely.update(index for literal, index in self._by_literal if literal in text.raw)
        if not text.raw.isascii():
            likely.update(self._non_ascii)
        return [self._all[index] for index in sorted(likely)]


_RUNS = frozenset({Corpus.RUNS, Corpus.EVERYTHING})
_WRITES = frozenset(Corpus)
_PROSE = frozenset({Corpus.EVERYTHING})


class SignatureAnalyzer(SecurityAnalyzer):
    """Votes the highest signature that fires; where none does, what is known of the tool.

    A signature below HIGH does not make an unknown tool known: UNKNOWN then stays UNKNOWN, or an
    attacker could lower a vote by adding harmless text.
    """

    name: ClassVar[str] = "signatures"
    cheap: ClassVar[bool] = True

    def __init__(self) -> None:
        known = load()
        self._tools = known.tools
        self._signatures = Signatures(known.signatures, Commands(known.wrapper))

    def assess(self, action: ActionEvent) -> Assessment:
        kind, usual = self._known(action)
        corpora = _WRITES if kind == Corpus.WRITES else _RUNS
        findings = self._signatures.found_in(_what_runs(action), corpora)
        if action.summary or action.thought:
            findings += self._signatures.found_in(_prose(action), _PROSE)
        return Assessment(risk=_vote(usual, findings), findings=tuple(findings))

    def _known(self, action: ActionEvent) -> tuple[str, SecurityRisk]:
        """The kind of the tool, and its risk where no signature fires.

        What a tool says of itself counts where we do not know it, and only readOnlyHint: the other
        hints say how bad it may get, not what it does.
        """
        known = self._tools.get(action.tool_name.lower())
        if known is not None:
            return known
        hints = action.annotations
        reads = hints is not None and hints.readOnlyHint is True
        return "", SecurityRisk.LOW if reads else SecurityRisk.UNKNOWN


def _first_command(signature: Signature, text: Text, starts: Starts) -> Finding | None:
    """The first command of the signature."""
    pattern = signature.compiled_command
    if pattern is None:
        return None
    searched = text.searched_for(signature)
    for name in sorted(signature.names & starts.keys()):
        for start, at in _pairs(starts[name]):
            if match := pattern.match(searched, at):
                return _finding(signature, text, start, match.end())
    return None


def _pairs(flat: list[int]) -> Iterator[tuple[int, int]]:
    turns = iter(flat)
    return zip(turns, turns, strict=True)


def _first(signature: Signature, text: Text) -> Finding | None:
    """Where the first of the signature's other patterns that matches does."""
    searched = text.searched_for(signature)
    for pattern in signature.compiled:
        if match := pattern.search(searched):
            return _finding(signature, text, *match.span())
    return None


def _finding(signature: Signature, text: Text, start: int, end: int) -> Finding:
    field, span = text.place(start, end)
    return Finding(id=signature.id, risk=signature.risk, message=signature.shown, field=field, span=span)


def _what_runs(action: ActionEvent) -> Text:
    parts = [Part(Path("tool_name"), action.tool_name)]
    _collect(action.arguments, Path("arguments"), parts)
    return Text(parts)


def _prose(action: ActionEvent) -> Text:
    return Text([Part(Path("summary"), action.summary), Part(Path("thought"), action.thought)])


def _collect(value: Any, path: Path, parts: list[Part]) -> None:
    """Every string in ``value`` with its path; a list of strings also as a command line."""
    if isinstance(value, str):
        parts.append(Part(path, value))
    elif isinstance(value, dict):
        for key, child in value.items():
            _collect(child, Path(key, path), parts)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _collect(child, Path(index, path), parts)
        strings = [child for child in value if isinstance(child, str)]
        if len(strings) == len(value) > 1:
            parts.append(Part(path, " ".join(strings), exact=False))


def _vote(usual: SecurityRisk, findings: list[Finding]) -> SecurityRisk:
    fired = highest([finding.risk for finding in findings])
    if usual is SecurityRisk.UNKNOWN and fired is not SecurityRisk.HIGH:
        return SecurityRisk.UNKNOWN
    return highest([usual, fired])
