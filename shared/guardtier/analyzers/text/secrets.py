"""SecretsAnalyzer: keys, tokens and passwords in what runs, and whether they leave the machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from guardtier.analyzers.text.base import TextAnalyzer
from guardtier.analyzers.text.fields import Texts
from guardtier.analyzers.text.gitleaks import Match, SecretRules
from guardtier.analyzers.text.outgoing import Outgoing
from guardtier.analyzers.text.parts import Part
from guardtier.analyzers.text.rules import read_own, read_users
from guardtier.analyzers.view import Call
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

log = logging.getLogger(__name__)

_SHOWN = 4  #: characters of a secret that a finding shows

_BY_NAME = "redacted:by_name:"  #: the marks of what no rule knew

REDACTED = "redacted"  #: the rule for the marks of secrets that the tier did not keep


class _Says(NamedTuple):
    id: str
    risk: SecurityRisk
    shown: str


def secret_rules(file: str | Path | None = None, *, builtin: bool = True) -> SecretRules:
    """The package's rules, a user's file on top. What RE2 can't read of it is logged."""
    data: list[tuple[str, dict[str, Any]]] = []
    if builtin:
        data.append(("secrets.toml", read_own("secrets.toml")))
    if file is not None:
        data.append((str(file), read_users(file)))
    rules = SecretRules(data)
    for reason in rules.unsupported:
        log.warning("a rule for secrets is not used: %s", reason)
    return rules


@cache
def package_rules() -> SecretRules:
    """The package's rules alone, of which a process needs no second copy."""
    return secret_rules()


class SecretsAnalyzer(TextAnalyzer):
    """HIGH ``secrets.outgoing`` where a secret leaves, MEDIUM ``secrets.present`` anywhere else.

    ``file`` is a user's own rules in gitleaks' format, upstream's gitleaks.toml for one; they come on
    top of the package's, or instead with ``builtin=False``. Rules that RE2 can't read are not used:
    they are logged and stand in :attr:`unsupported`.
    """

    name: ClassVar[str] = "secrets"

    def __init__(self, *, file: str | Path | None = None, builtin: bool = True) -> None:
        self._rules = secret_rules(file, builtin=builtin)
        self._outgoing = Outgoing(read_own("secrets.toml")["outgoing"])

    @property
    def rules(self) -> SecretRules:
        """The rules, for other texts than actions."""
        return self._rules

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The rules of a user's file that are not used, and why."""
        return self._rules.unsupported

    def concerns(self, call: Call) -> bool:
        return not call.clean

    def findings(self, texts: Texts) -> list[Finding]:
        if not self._rules.concern(texts.runs):
            return []
        return list(self._found(texts))

    def _found(self, texts: Texts) -> Iterator[Finding]:
        seen: set[tuple[int, int]] = set()
        for first in self._rules.firsts(texts.runs):
            match = self._known(texts, first) if first.rule.id == REDACTED else first
            if match is None:
                continue
            place = (match.part, match.start)
            if place not in seen:  # a token in an assignment is one secret, not two
                seen.add(place)
                yield texts.runs.finding(self._says(texts, match), match.part, match.start, match.end)

    def _known(self, texts: Texts, first: Match) -> Match | None:
        """The first mark of a secret that a rule knew. What only its name gave away was not rated, and in a
        replay it is not either.
        """
        if not first.secret.startswith(_BY_NAME):
            return first
        marks = (one for one in self._rules.every(texts.runs) if one.rule.id == REDACTED)
        return next((one for one in marks if not one.secret.startswith(_BY_NAME)), None)

    def _says(self, texts: Texts, match: Match) -> _Says:
        part: Part = texts.runs.parts[match.part]
        rule, shown = match.rule, f"{match.secret[:_SHOWN]}…"
        if rule.id == REDACTED:  # it counts as the secret that it stands for
            rule, shown = self._rules.rule(match.secret.split(":")[1]) or rule, match.secret
        what = f"{(rule.description or rule.id)[:200]} ({shown})"
        if self._outgoing.leaves(texts, part, rule.home):
            message = (
                f"Sends a secret away: {what}. Pass it by the environment or a secret store. (ATT&CK T1048)"
            )
            return _Says("secrets.outgoing", SecurityRisk.HIGH, message)
        return _Says(
            "secrets.present", SecurityRisk.MEDIUM, f"Holds a secret in plain text: {what}. (ATT&CK T1552)"
        )
