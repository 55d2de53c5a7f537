"""SignatureAnalyzer: known shapes of harmful commands and of injected text.

The signatures are data (``signature_data/*.toml``): one more needs no code. They match spellings,
cheaply and at any length; what a command does in truth is for an analyzer that parses it. Text that
an agent merely thinks is never searched for commands.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from string import ascii_letters, digits
from typing import Any, ClassVar, NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.signature_data import Corpus, Signature, load
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk, highest

#: Letters in lower case, everything else of ASCII blank: what is left between blanks is a word.
_WORDS = dict.fromkeys(range(128), " ") | {
    ord(char): char.lower() for char in f"{ascii_letters}{digits}_"
}

# Before commands are searched for, in text of the same length so that spans stay true: what looks
# like a separator and is none (a continued line, an escaped bracket, 2>&1) becomes blank, and the
# quote that opens a command in code (system("…"), ["rm", …]) becomes a line break.
_RETOUCHED = re.compile(r"\\[\n();|&]|>&[0-9]|&>|\(\s*f?[\"']|\[\s*[\"']")
_STARTS_COMMANDS = (
    "system",
    "popen",
    "Popen",
    "run",
    "call",
    "output",
    "exec",
    "execSync",
    "spawn",
)
_EDGE = " \t\n;&|(`"


class Part(NamedTuple):
    """One string of an action. ``exact`` is False for an argument list shown as a command line."""

    field: str
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
        return _RETOUCHED.sub(_retouch, self.raw)

    def place(self, match: re.Match[str]) -> tuple[str, tuple[int, int] | None]:
        """The field that a match lies in, and its characters there without separators around it."""
        hit = match[0]
        start = match.start() + len(hit) - len(hit.lstrip(_EDGE))
        end = match.end() - (len(hit) - len(hit.rstrip(_EDGE)))
        index = bisect_right(self._starts, start) - 1
        part, first = self._parts[index], self._starts[index]
        span = (start - first, min(end - first, len(part.text)))
        return part.field, span if part.exact else None

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 1
        for part in self._parts:
            starts.append(at)
            at += len(part.text) + 1
        return starts


class Signatures:
    """All signatures behind one index: which words of a text make which of them worth a search."""

    def __init__(self, signatures: tuple[Signature, ...]) -> None:
        self._all = signatures
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
        likely = {index for word in self._words & text.words for index in self._by_word[word]}
        likely.update(index for literal, index in self._by_literal if literal in text.raw)
        if not text.raw.isascii():
            likely.update(self._non_ascii)
        tried = (self._all[index] for index in sorted(likely))
        found = (_first(one, text) for one in tried if one.corpus in corpora)
        return [finding for finding in found if finding]


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
        signatures, self._tools = load()
        self._signatures = Signatures(signatures)

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


def _first(signature: Signature, text: Text) -> Finding | None:
    """Where the first of the signature's patterns that matches does."""
    searched = text.retouched if signature.reads_commands else text.raw
    for pattern in signature.compiled:
        if match := pattern.search(searched):
            field, span = text.place(match)
            return Finding(
                id=signature.id,
                risk=signature.risk,
                message=signature.shown,
                field=field,
                span=span,
            )
    return None


def _what_runs(action: ActionEvent) -> Text:
    parts = [Part("tool_name", action.tool_name)]
    _collect(action.arguments, "arguments", parts)
    return Text(parts)


def _prose(action: ActionEvent) -> Text:
    return Text([Part("summary", action.summary), Part("thought", action.thought)])


def _collect(value: Any, path: str, parts: list[Part]) -> None:
    """Every string in ``value`` with its path; a list of strings also as a command line."""
    if isinstance(value, str):
        parts.append(Part(path, value))
    elif isinstance(value, dict):
        for key, child in value.items():
            _collect(child, f"{path}.{key}", parts)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _collect(child, f"{path}.{index}", parts)
        if len(value) > 1 and all(isinstance(child, str) for child in value):
            parts.append(Part(path, " ".join(value), exact=False))


def _vote(usual: SecurityRisk, findings: list[Finding]) -> SecurityRisk:
    fired = highest([finding.risk for finding in findings])
    if usual is SecurityRisk.UNKNOWN and fired is not SecurityRisk.HIGH:
        return SecurityRisk.UNKNOWN
    return highest([usual, fired])


def _retouch(match: re.Match[str]) -> str:
    hit = match[0]
    if hit[-1] not in "\"'":
        return " " * len(hit)
    before = match.string[max(0, match.start() - 12) : match.start()]
    opens = hit[0] == "[" or before.endswith(_STARTS_COMMANDS)
    return hit[:-1] + "\n" if opens else hit
