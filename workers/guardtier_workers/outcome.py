"""What an action's output shows: secrets, and orders to the agent."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.flow.redact import redacted
from guardtier.analyzers.flow.values import MAX_SECRETS, random_words
from guardtier.analyzers.history import Note
from guardtier.analyzers.text.fields import Texts
from guardtier.analyzers.text.gitleaks import SecretRules
from guardtier.analyzers.text.injection import InjectionAnalyzer
from guardtier.analyzers.text.secrets import SecretsAnalyzer, package_rules

_READER = ActionEvent(fleet="tier", agent="tier", tool_name="observe", arguments={})


_LOOKED_AT = 1000  #: matches of all rules in one output


class Outcome(NamedTuple):
    """The labels that an output sets, in words, and the secrets in it."""

    labels: dict[str, str]
    secrets: tuple[str, ...]
    more: bool = False  #: it holds more secrets than these, or more than were looked at


def secret_rules_of(ensemble: EnsembleSecurityAnalyzer) -> SecretRules:
    """The rules for secrets of its member for them; the package's where it has none."""
    found = next((one for one in ensemble.analyzers if isinstance(one, SecretsAnalyzer)), None)
    return found.rules if found else package_rules()


class OutcomeReader:
    """Reads outputs with the configured rules for secrets and injections, or the package's."""

    def __init__(self, ensemble: EnsembleSecurityAnalyzer) -> None:
        children = ensemble.analyzers
        injection = next((one for one in children if isinstance(one, InjectionAnalyzer)), None)
        self._secrets = secret_rules_of(ensemble)
        self._injection = injection or InjectionAnalyzer()

    def read(self, output: str, note: Note) -> Outcome:
        """What the output of the action shows that this note is about."""
        text = Texts(_READER.model_copy(update={"arguments": {"output": output}}))
        matches = list(islice(self._secrets.every(text.runs), _LOOKED_AT))
        secrets = [match.secret for match in matches]
        if "secret.read" in note.doing:
            secrets += random_words(output)
        labels = {}
        what = note.doing.get("secret.read") or note.tool
        if matches:
            name = matches[0].rule.description or matches[0].rule.id
            labels["secret.seen"] = redacted(f"{what}: {name} was in its output", 160)
        elif secrets:
            labels["secret.seen"] = redacted(f"{what}: what looks like a key was in its output", 160)
        if self._injection.findings(text):
            what = note.doing.get("untrusted.in") or note.tool
            labels["injection.seen"] = redacted(f"{what}: its output gave orders to the agent", 160)
        distinct = tuple(dict.fromkeys(secrets))
        more = len(distinct) > MAX_SECRETS or len(matches) == _LOOKED_AT
        return Outcome(labels, distinct[:MAX_SECRETS], more)
