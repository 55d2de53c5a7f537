"""Asking: the questions of rules that cost more than a look-up: targets and conditions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from guardtier.errors import ConfigError
from guardtier.policy.complaint import in_rule
from guardtier.policy.condition import Condition, ConditionFailed, activation_of
from guardtier.policy.globs import Matches, is_pattern, matcher, may_expand_to
from guardtier.policy.known import LOST
from guardtier.policy.rules import Rule
from guardtier.policy.ruling import Effect, Facts

log = logging.getLogger(__name__)

MAX_SECONDS = 0.25  #: for all questions about one action; a condition on a megabyte takes 20 ms
MAX_EXPANDED = 20_000  #: characters of globs, times those of a rule: 20 ms
MAX_TARGETS = 2000  #: of one action; more can't be told apart from an attempt to hide one


class Questions:
    """The targets and conditions of all rules that have any, compiled."""

    def __init__(self, rules: Sequence[Rule], name: str) -> None:
        """Raises ConfigError that names file and rule where a ``when`` does not compile."""
        self._rules = rules
        self._targets = {
            number: [matcher(glob) for glob in rule.target]
            for number, rule in enumerate(rules)
            if rule.target is not None
        }
        self._conditions: dict[int, Condition] = {}
        for number, rule in enumerate(rules):
            if rule.when is not None:
                try:
                    self._conditions[number] = Condition(rule.when)
                except ConfigError as error:
                    raise in_rule(name, rule.name, error) from error

        self.asking = frozenset(self._targets) | frozenset(self._conditions)

    def about(self, facts: Facts, unsure: int = 0) -> Asked:
        """``unsure``: a bit for each rule that can't be told, whatever it asks."""
        return Asked(self, facts, unsure)

    def ask(self, number: int, asked: Asked) -> bool:
        """Whether the rule's targets and condition hold. Raises where it can't be told."""
        globs: list[Matches] | None = self._targets.get(number)
        if globs is not None and not self._are_meant(number, globs, asked.targets()):
            self._check_expanded(number, asked)
            return False
        condition = self._conditions.get(number)
        if condition is not None and condition.asks_targets and asked.patterns():
            raise ConditionFailed("a target is a glob, which only a shell can expand")
        if condition is not None and condition.asks_labels and asked.lost:
            raise ConditionFailed("the conversation's history is lost, and its labels with it")
        return condition is None or condition.holds(asked.activation(condition.asks_targets))

    def _are_meant(self, number: int, globs: list[Matches], targets: tuple[str, ...]) -> bool:
        """Whether these are the rule's: one of them, or each where it releases them."""
        among = (any(matches(one) for matches in globs) for one in targets)
        if self._rules[number].outcome is Effect.RELEASE:
            return bool(targets) and all(among)
        return any(among)

    def _check_expanded(self, number: int, asked: Asked) -> None:
        """Raise where a target is a glob that a shell may expand to one that the rule names."""
        patterns, globs = asked.patterns(), self._rules[number].target or ()
        if sum(map(len, patterns)) * len(globs) > MAX_EXPANDED:
            raise ConditionFailed("its globs are too many to be told")
        for path in patterns:
            if any(may_expand_to(path, glob) for glob in globs):
                raise ConditionFailed("a target is a glob that may stand for one of the rule's")

    def name_of(self, number: int) -> str:
        return self._rules[number].name


class Asked:
    """What was asked about one action: each question once, the costly facts once and only if needed."""

    def __init__(self, questions: Questions, facts: Facts, unsure: int) -> None:
        self._questions = questions
        self._unsure = unsure
        self._facts = facts
        self._answers: dict[int, bool | None] = {}
        self._targets: Callable[[], tuple[str, ...]] = facts.targets
        self._activations: dict[bool, Any] = {}
        self._until: float | None = None

    def holds(self, number: int) -> bool | None:
        """Whether the rule holds that matches otherwise; None where that could not be told."""
        if self._unsure >> number & 1:
            return None
        if number not in self._questions.asking:
            return True
        if number not in self._answers:
            try:
                self._check_time()
                self._answers[number] = self._questions.ask(number, self)
            except Exception as error:
                log.info("rule %s can't be told, so it parks: %s", self._questions.name_of(number), error)
                self._answers[number] = None
        return self._answers[number]

    def _check_time(self) -> None:
        now = monotonic()
        if self._until is None:
            self._until = now + MAX_SECONDS
        elif now > self._until:
            raise ConditionFailed(f"the rules before it took more than {MAX_SECONDS} s")

    @property
    def lost(self) -> bool:
        """Whether the labels are not all known."""
        return LOST in self._facts.labels

    def targets(self) -> tuple[str, ...]:
        """What the action touches. Raises where that can't be told."""
        found = tuple(self._targets())
        if len(found) > MAX_TARGETS:
            raise ConditionFailed(f"the action touches more than {MAX_TARGETS} targets")
        self._targets = lambda: found
        return found

    def patterns(self) -> tuple[str, ...]:
        """Those of the targets that a shell would expand. Raises as :meth:`targets`."""
        return tuple(filter(is_pattern, self.targets()))

    def activation(self, with_targets: bool) -> Any:
        if with_targets not in self._activations:
            targets = self.targets() if with_targets else ()
            self._activations[with_targets] = activation_of(self._facts, targets)
        return self._activations[with_targets]
