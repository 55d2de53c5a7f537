"""InjectionAnalyzer: text that tells a model, this guard or a person what to think of an action."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from guardtier.analyzers.gate import GATE
from guardtier.analyzers.text.base import TextAnalyzer
from guardtier.analyzers.text.fields import Text, Texts
from guardtier.analyzers.text.normal import fold
from guardtier.analyzers.text.outgoing import Outgoing
from guardtier.analyzers.text.parts import Part
from guardtier.analyzers.text.places import Place, is_obeyed
from guardtier.analyzers.text.re2set import PatternSet, Source
from guardtier.analyzers.text.rules import Rule, named, read_own, spots, validated
from guardtier.analyzers.view import Call
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

_ALL = frozenset(Place)
_OVERRIDES = "injection.override."
#: Places where people write about such text: tests, documents, what is searched for.
_WRITTEN = frozenset({Place.CONTENT, Place.DOCUMENT})


class _Injection(Rule):
    """Patterns in lower case. ``guard`` is what addresses the guard: honest even in quotes it is not."""

    regex: tuple[str, ...]
    guard: bool = False


class _Says(NamedTuple):
    id: str
    risk: SecurityRisk
    shown: str


class InjectionAnalyzer(TextAnalyzer):
    """Instruction overrides, faked roles, secrecy, and orders to the guard, in every field.

    HIGH in what is said of the action and in what a tool is given. MEDIUM in the content of files, in
    what is searched for, and in quotes and here-documents of a shell command, where it is data, unless
    the command sends it to somebody or it addresses the guard.
    """

    name: ClassVar[str] = "injection"

    def __init__(self) -> None:
        entries = named(read_own("injection.toml")["injection"], "injection")
        self._rules = tuple(validated(_Injection, entry, "injection.toml") for entry in entries)
        self._owner = [rule for rule in self._rules for _ in rule.regex]
        sources = [Source(rule.id, fold(regex)) for rule in self._rules for regex in rule.regex]
        self._patterns = PatternSet(sources, own=True)
        self._admitted = GATE.admit(one.pattern for one in sources)
        self._outgoing = Outgoing(read_own("secrets.toml")["outgoing"])

    def concerns(self, call: Call) -> bool:
        return not call.clean

    def findings(self, texts: Texts) -> list[Finding]:
        found = self._in(texts, texts.runs)
        if texts.said is not None:
            found += self._in(texts, texts.said)
        return found

    def _in(self, texts: Texts, text: Text) -> list[Finding]:
        if not text.concerns(self._admitted):
            return []
        return list(self._worst(texts, text, self._patterns.hits(text.lower.data)))

    def _worst(self, texts: Texts, text: Text, hits: Sequence[int]) -> Iterator[Finding]:
        """One finding a rule: the first that is HIGH, else the first."""
        worst: dict[str, Finding] = {}
        for index in hits:
            rule = self._owner[index]
            known = worst.get(rule.id)
            if known is None or known.risk is not SecurityRisk.HIGH:
                found = self._first_high(texts, text, index)
                if found and (known is None or found.risk is SecurityRisk.HIGH):
                    worst[rule.id] = found
        yield from worst.values()

    def _first_high(self, texts: Texts, text: Text, index: int) -> Finding | None:
        rule, first = self._owner[index], None
        for part, start, end in spots(self._patterns, index, text, text.lower, _ALL):
            risk = self._risk(texts, text.parts[part], rule, start)
            finding = text.finding(_Says(rule.id, risk, rule.shown), part, start, end)
            if risk is SecurityRisk.HIGH:
                return finding
            first = first or finding
        return first

    def _risk(self, texts: Texts, part: Part, rule: _Injection, start: int) -> SecurityRisk:
        if part.place in _WRITTEN and not (rule.id.startswith(_OVERRIDES) and is_obeyed(texts.action)):
            return SecurityRisk.MEDIUM
        if part.place is Place.PARSED and _is_data(part.text, start, guard=rule.guard):
            sent = self._outgoing.leaves(texts, part, commits=False)
            return SecurityRisk.HIGH if sent else SecurityRisk.MEDIUM
        return rule.risk


_COMMENT = re.compile(r"(?:^|(?<=\s))#", re.MULTILINE)
_SEARCHES = ("grep", "rg ", "ag ", "ack ", "sed ", "awk ", "find ", "findstr")


def _is_data(text: str, start: int, *, guard: bool) -> bool:
    """Whether a place in a shell text is in a here-document or in quotes, and so not a comment or bare."""
    line = text.rfind("\n", 0, start) + 1
    if text.find("<<", 0, line) >= 0:
        return True
    comment = _COMMENT.search(text, line, start)
    if comment and not _in_quotes(text, comment.start()):
        return False
    quoted = _in_quotes(text, start)
    if guard and quoted:
        return any(name in text[line:start] for name in _SEARCHES)
    return quoted


def _in_quotes(text: str, place: int) -> bool:
    return text.count('"', 0, place) % 2 == 1 or text.count("'", 0, place) % 2 == 1
