"""Rules for secrets in gitleaks' TOML format, and the search for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import log2
from typing import Any, NamedTuple, cast

import re2
from pydantic import BaseModel, ConfigDict, Field

from guardtier.analyzers.gate import GATE
from guardtier.analyzers.text.fields import Text
from guardtier.analyzers.text.re2set import PatternSet, Source, compiled
from guardtier.analyzers.text.rules import validated
from guardtier.errors import ConfigError

_LARGEST = 20_000  #: instructions of one rule: upstream's are larger than what we take as a pattern
_LOOKED_AT = 256  #: characters that entropy is measured over
#: Matches of one rule that are looked at. One that only ever meets placeholders counts as met behind
#: that: a megabyte of them must neither take a second nor hide the real one at its end.
_TRIES = 500


class Allowlist(BaseModel):
    """What is no secret. Paths and commits mean nothing here: there is no repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    regexes: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    regexTarget: str = "secret"  # noqa: N815 - gitleaks' own name
    condition: str = "OR"
    paths: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


class SecretRule(BaseModel):
    """One rule. ``home``, ``shortest`` and ``always`` are ours; what else gitleaks knows is left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    description: str = ""
    regex: str = ""
    keywords: tuple[str, ...] = ()
    entropy: float = 0.0
    secretGroup: int = 0  # noqa: N815 - gitleaks' own name
    allowlists: tuple[Allowlist, ...] = ()
    home: tuple[str, ...] = ()  #: hosts that the secret is meant for
    shortest: int = 0  #: characters of the secret; cheaper than to count in the regex
    always: bool = False  #: no allowlist says that it is none


class Match(NamedTuple):
    """A secret: its rule, what it is, and where."""

    rule: SecretRule
    secret: str
    part: int
    start: int
    end: int


class _Allowed:
    """Tells what is no secret, by allowlists."""

    def __init__(self, lists: Iterable[Allowlist], source: str) -> None:
        self._lists = []
        for one in lists:
            if one.condition == "AND" and (one.paths or one.commits):
                continue  # half of it can't be met here
            patterns = [compiled(Source(source, regex), largest=_LARGEST) for regex in one.regexes]
            words = tuple(word.lower() for word in one.stopwords)
            self._lists.append((one.regexTarget, patterns, words, one.condition == "AND"))

    def __call__(self, secret: bytes, match: bytes) -> bool:
        return any(self._by(one, secret, match) for one in self._lists)

    def _by(
        self, one: tuple[str, list[re2._Regexp], tuple[str, ...], bool], secret: bytes, match: bytes
    ) -> bool:
        target, patterns, words, every = one
        looked_at = secret if target == "secret" else match
        lower = secret.decode("utf-8", "replace").lower()
        met = [any(pattern.search(looked_at) for pattern in patterns)] if patterns else []
        if words:
            met.append(any(word in lower for word in words))
        return (all(met) if every else any(met)) if met else False


class SecretRules:
    """The rules of one or more files, behind one automaton of their keywords."""

    def __init__(self, files: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.unsupported: tuple[str, ...] = ()
        self._rules: list[tuple[SecretRule, re2._Regexp, _Allowed, _Allowed]] = []
        for source, data in files:
            self._add(source, data)
        self._keywords = PatternSet(Source(rule.id, _prefilter(rule)) for rule, *_ in self._rules)
        # A rule without keywords has to be tried on everything: "" always matches.
        self._admitted = GATE.admit(_prefilter(rule) if rule.keywords else "" for rule, *_ in self._rules)

    def rule(self, name: str) -> SecretRule | None:
        """The rule of this id."""
        return next((rule for rule, *_ in self._rules if rule.id == name), None)

    def concern(self, text: Text) -> bool:
        """Whether there may be a secret in the text; where not, there is none."""
        return text.concerns(self._admitted)

    def candidates(self, text: Text) -> list[int]:
        """The rules whose keywords are in the text."""
        return list(self._keywords.hits(text.normal.data)) if text.concerns(self._admitted) else []

    def firsts(self, text: Text) -> tuple[Match, ...]:
        """The first secret of each rule. Who asks again of the same text is told the same."""
        if text.asked is None or text.asked[0] is not self:
            found = (self._first(text, index) for index in self.candidates(text))
            text.asked = self, tuple(match for match in found if match)
        return cast("tuple[Match, ...]", text.asked[1])

    def every(self, text: Text) -> Iterator[Match]:
        """Every secret of every rule; one that two rules know comes twice."""
        for index in self.candidates(text):
            yield from self._each(text, index)

    def _first(self, text: Text, index: int) -> Match | None:
        return next(self._each(text, index), None)

    def _each(self, text: Text, index: int) -> Iterator[Match]:
        rule, pattern, allowed, allowed_everywhere = self._rules[index]
        folded, tries, refused = text.normal, 0, set[bytes]()
        for match in pattern.finditer(folded.data):
            start, end = _secret_in(match, rule.secretGroup)
            secret = folded.data[start:end]
            tries += 1
            if tries <= _TRIES:
                if secret in refused or len(secret) < rule.shortest or entropy(secret) < rule.entropy:
                    continue
                if allowed(secret, match.group()) or allowed_everywhere(secret, match.group()):
                    refused.add(secret)
                    continue
            yield Match(rule, secret.decode("utf-8", "replace"), *folded.spot(start, end))

    def _add(self, source: str, data: dict[str, Any]) -> None:
        everywhere = _Allowed(_allowlists(data, source), source)
        for entry in data.get("rules", ()):
            rule = validated(SecretRule, entry, source)
            if not rule.regex:
                self._report(f"{source}: {rule.id}: has no regex, it looks at paths alone")
                continue
            try:
                pattern = compiled(Source(rule.id, rule.regex), largest=_LARGEST)
                allowed = _Allowed((*rule.allowlists, *_allowlists(entry, source)), rule.id)
            except ConfigError as error:
                self._report(f"{source}: {error}")
                continue
            self._rules.append((rule, pattern, allowed, _Allowed((), "") if rule.always else everywhere))

    def _report(self, reason: str) -> None:
        self.unsupported = (*self.unsupported, reason)


def _allowlists(data: dict[str, Any], source: str) -> list[Allowlist]:
    """Both spellings of gitleaks: [allowlist] up to 8.20, [[allowlists]] since."""
    entries = [*([data["allowlist"]] if "allowlist" in data else []), *data.get("allowlists", ())]
    return [validated(Allowlist, entry, source) for entry in entries]


def _prefilter(rule: SecretRule) -> str:
    """A pattern that matches wherever the rule may: its keywords in any case, else its own regex."""
    if not rule.keywords:
        return rule.regex
    return f"(?i:{'|'.join(re.escape(keyword) for keyword in rule.keywords)})"


def _secret_in(match: re2._Match, group: int) -> tuple[int, int]:
    """The named group, else the first one that took part, else all of the match; as gitleaks does."""
    groups = [group] if group else range(1, match.re.groups + 1)
    for number in groups:
        if (
            number <= match.re.groups
            and match.span(number)[0] >= 0
            and match.span(number)[1] > match.span(number)[0]
        ):
            start, end = match.span(number)
            return int(start), int(end)
    start, end = match.span()
    return int(start), int(end)


def entropy(secret: bytes) -> float:
    """Shannon's, in bits a character."""
    looked_at = secret[:_LOOKED_AT]
    if not looked_at:
        return 0.0
    total = len(looked_at)
    return -sum(count / total * log2(count / total) for count in Counter(looked_at).values())
