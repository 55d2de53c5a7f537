"""Keeping: what of an action is kept, once it is rated: no secret that the rules know.

Nearly no action holds one, so it is told first whether one may be there: by what the analyzers of text have
found anyway, and by one search for fields that are called like a secret.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import orjson

from guardtier.action import ActionEvent
from guardtier.analyzers.fields import strings_in
from guardtier.analyzers.text.fields import Text, texts_of
from guardtier.analyzers.text.gitleaks import SecretRules
from guardtier.analyzers.text.named import in_json, may_name
from guardtier.analyzers.text.redact import (
    KEY_HEADER,
    MOST_SECRETS,
    Cut,
    Redactor,
    TooManySecrets,
    pieces_of,
)
from guardtier.analyzers.view import is_known_clean, view_of
from guardtier.assessment import MAX_FINDINGS, MAX_MESSAGE, Assessment, Finding
from guardtier.canonical import MAX_PAYLOAD, canonical
from guardtier.redacted import EVERYTHING, Fingerprinter, Kept
from guardtier.risk import SecurityRisk

log = logging.getLogger(__name__)

_SHOWN = 4  #: characters of a secret that a finding shows
_BEGUN = 6  #: so many characters at a secret's beginning are taken for it, where a message cut it off


class Keeping:
    """Takes secrets out of what is kept of actions. Build it once; ``rules`` are those of the analyzer."""

    def __init__(self, rules: SecretRules, prints: Fingerprinter) -> None:
        self._rules = rules
        self._prints = prints

    def may_hold(self, action: ActionEvent, event: bytes | None = None) -> bool:
        """Whether a secret may be in it; where not, there is none. ``event`` is its JSON, if that is at
        hand. Measured: see docs/roles.md.
        """
        if is_known_clean(action):  # one command, in which nobody looks for anything
            return False
        texts = texts_of(action)
        if self._may_be_in(texts.runs) or (texts.said is not None and self._may_be_in(texts.said)):
            return True
        return may_name(action.arguments, event)

    def _may_be_in(self, text: Text) -> bool:
        """Whether a rule finds something, or a private key begins, whose lines may be strings."""
        if not self._rules.concern(text):
            return False
        if self._rules.firsts(text) or KEY_HEADER.search(text.raw):
            return True
        return next(in_json(text.raw), None) is not None

    def of(self, action: ActionEvent, event: bytes, assessment: Assessment) -> Kept:
        """What is kept in place of this. Never raises: where it can't be told what is a secret, no argument
        is kept, and the action is parked, with a finding that says so.
        """
        try:
            if not self.may_hold(action, event):
                return Kept(event, assessment)
            secrets = _Secrets(action, self._rules, self._prints)
            return secrets.kept(event, assessment) if secrets.any else Kept(event, assessment)
        except TooManySecrets as error:
            return self._withheld(action, event, assessment, str(error))
        except Exception:
            log.exception("what of action %s is a secret can't be told: nothing of it is kept", action.id)
            return self._withheld(action, event, assessment, "could not be searched for secrets")

    def text(self, fleet: str, text: str) -> str:
        """A text of people or of errors without secrets; where it can't be told, a word that says so."""
        try:
            (clean,) = Redactor(rules=self._rules, mark=self._marks_of(fleet)).texts([text])
        except Exception:  # TooManySecrets among them
            return self._prints.mark(fleet, EVERYTHING, text)
        return clean

    def words(self, action: ActionEvent, texts: list[str]) -> list[str]:
        """Texts that were made of an action, as what a history says of it, without its secrets.

        Raises TooManySecrets.
        """
        if not self.may_hold(action):
            return texts
        secrets = _Secrets(action, self._rules, self._prints)
        return [secrets.clean(text) for text in texts]

    def _marks_of(self, fleet: str) -> Any:
        return lambda rule, secret: self._prints.mark(fleet, rule, secret)

    def _withheld(self, action: ActionEvent, event: bytes, assessment: Assessment, why: str) -> Kept:
        mark = self._prints.mark(action.fleet, EVERYTHING, event.decode("utf-8", "replace"))
        body = orjson.loads(event) | {"arguments": {"withheld": mark}}
        for said in ("summary", "thought"):
            body.pop(said, None)
        finding = Finding(
            id="redaction.withheld",
            risk=SecurityRisk.HIGH,
            message=f"What it would do is not shown, since it {why}: look at it where the agent runs.",
        )
        # Their messages may quote what is not to be kept.
        found = [one.model_copy(update={"message": "", "span": None}) for one in assessment.findings]
        rated = assessment.model_copy(
            update={
                "risk": SecurityRisk.HIGH,
                "failed": True,
                "findings": (finding, *found)[:MAX_FINDINGS],
            }
        )
        return Kept(canonical(body), rated, (mark,))


class _Secrets:
    """The secrets of one action, and what stands in place of each. Raises TooManySecrets."""

    def __init__(self, action: ActionEvent, rules: SecretRules, prints: Fingerprinter) -> None:
        self._marks: dict[str, str] = {}  # secret → what stands in place of it
        self._fleet, self._prints = action.fleet, prints
        self._action = action
        self._named: frozenset[str] | None = None
        said = [action.arguments, action.summary, action.thought]
        self._cuts: dict[str, list[Cut]] = {}
        self._clean: list[Any] = Redactor(rules=rules, mark=self._mark, programs=self._programs)(
            said, self._cuts
        )
        self.any = bool(self._marks)

    def _mark(self, rule: str, secret: str) -> str:
        mark = self._marks.get(secret)
        if mark is None:
            if len(self._marks) == MOST_SECRETS:
                raise TooManySecrets(f"holds more than {MOST_SECRETS} secrets")
            mark = self._marks[secret] = self._prints.mark(self._fleet, rule, secret)
        return mark

    def _programs(self) -> frozenset[str]:
        if self._named is None:
            scripts = [script for _, script in view_of(self._action).scripts]
            if any(script.cut for script in scripts):
                raise TooManySecrets("has more commands than can be told from what looks like a secret")
            self._named = pieces_of(
                one.name.text for script in scripts for one in script.commands if one.name
            )
        return self._named

    def kept(self, event: bytes, assessment: Assessment) -> Kept:
        arguments, summary, thought = self._clean
        body = orjson.loads(event)
        body["arguments"] = arguments
        if summary:
            body["summary"] = summary
        if thought:
            body["thought"] = thought
        clean = canonical(body)
        if len(clean) > MAX_PAYLOAD:
            raise TooManySecrets("holds so many secrets that it is too long without them")
        marks = tuple(dict.fromkeys(self._marks.values()))
        if not assessment.findings:
            return Kept(clean, assessment, marks)
        moved = self._moved()
        found = [
            one.model_copy(
                update={
                    "message": self.clean(one.message)[:MAX_MESSAGE],
                    "field": self.clean(one.field)[:1024] if one.field else one.field,
                    "span": _span(one.span, moved.get(one.field or "", ())),
                }
            )
            for one in assessment.findings
        ]
        return Kept(clean, assessment.model_copy(update={"findings": tuple(found)}), marks)

    def clean(self, text: str) -> str:
        """A text in which the secrets may be quoted, also where it cut them off."""
        for secret, mark in sorted(self._marks.items(), key=lambda one: -len(one[0])):
            text = text.replace(f"({secret[:_SHOWN]}…)", f"({mark})")
            text = _replaced(text, secret, mark)
        return text

    def _moved(self) -> dict[str, list[Cut]]:
        """What was cut out of the fields of the action, by their paths."""
        fields = [field for field in strings_in(self._action.arguments) if field.exact]
        return {field.path: cuts for field in fields if (cuts := self._cuts.get(field.text))}


def _replaced(text: str, secret: str, mark: str) -> str:
    begun, at = secret[:_BEGUN], 0
    while (at := text.find(begun, at)) >= 0:
        length = len(begun)
        while length < len(secret) and text[at + length : at + length + 1] == secret[length]:
            length += 1
        if length < _BEGUN and _is_in_a_word(text, at, at + length):
            at += length
            continue
        text = text[:at] + mark + text[at + length :]
        at += len(mark)
    return text


def _is_in_a_word(text: str, start: int, end: int) -> bool:
    """Whether these characters, a few digits, are a part of something longer."""
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()


def _span(span: tuple[int, int] | None, cuts: Iterable[Cut]) -> tuple[int, int] | None:
    """Where the characters of a span are, once these parts are cut out before, in and behind it."""
    if span is None:
        return None
    start, end = span
    first, last = start, end
    for cut in cuts:
        grown = len(cut.mark) - (cut.end - cut.start)
        if cut.end <= start:
            first += grown
        elif cut.start < start:  # it begins within
            first -= start - cut.start
        if cut.end <= end:
            last += grown
        elif cut.start < end:  # it ends within
            last += cut.start + len(cut.mark) - end
    return first, last
