"""CompiledPolicy: what a policy file says of one action, in a time that hardly grows with its rules."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from guardtier.assessment import MAX_FINDINGS
from guardtier.policy.asking import Asked, Questions
from guardtier.policy.budget import Budget
from guardtier.policy.confirmation import Policy
from guardtier.policy.hours import Timetable
from guardtier.policy.inline import Assess, DefaultOf, InlineTest, TargetsOf, TestResult, run
from guardtier.policy.joining import joined
from guardtier.policy.known import LOST
from guardtier.policy.masks import GlobMasks, bits_of
from guardtier.policy.quorums import Quorum, quorum_of, quorums_of
from guardtier.policy.rules import Rule
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.policy.section import FleetSection
from guardtier.policy.terms import USUAL, Terms
from guardtier.risk import SecurityRisk

log = logging.getLogger(__name__)

#: What is done where no rule matches.
Default = Callable[[Facts], Ruling]

BROKEN = "policy.broken"  #: the rule that a ruling names where the policy itself failed
MAX_NAMED = 20  #: rules that a ruling names: it is kept in the record
_EMPTY = FleetSection()


class CompiledPolicy:
    """The rules and fleets of one file. Safe to share between tasks; it remembers no action."""

    def __init__(
        self,
        rules: Sequence[Rule],
        fleets: Mapping[str, FleetSection],
        tests: Sequence[InlineTest] = (),
        *,
        name: str = "policy",
    ) -> None:
        """Raises ConfigError where a ``when`` does not compile."""
        self.rules = tuple(rules)
        self._fleets = dict(fleets)
        self._tests = tuple(tests)
        rows = [(rule, 1 << number) for number, rule in enumerate(self.rules)]
        self._levels = {
            effect: sum(bit for rule, bit in rows if rule.outcome is effect) for effect in Effect
        }
        releases = self._levels[Effect.RELEASE]  # an exception is for what it names, not for what is beside
        self._fleet = GlobMasks((rule.fleet, bit) for rule, bit in rows)
        self._agent = GlobMasks((rule.agent, bit) for rule, bit in rows)
        self._conversation = GlobMasks((rule.conversation, bit) for rule, bit in rows)
        self._tool = GlobMasks((rule.tool, bit) for rule, bit in rows)
        self._finding = GlobMasks(((rule.finding, bit) for rule, bit in rows), each=releases)
        self._label = GlobMasks((rule.label, bit) for rule, bit in rows)
        self._redacted = GlobMasks(((rule.redacted, bit) for rule, bit in rows), each=releases)
        self._time = Timetable([(rule.time, bit) for rule, bit in rows])
        self._risk = {risk: sum(bit for rule, bit in rows if risk in rule.risks) for risk in SecurityRisk}
        self._shadow = sum(bit for rule, bit in rows if rule.mode == "shadow")
        self._asking = sum(bit for rule, bit in rows if rule.asks)
        self._labelled = sum(bit for rule, bit in rows if rule.label is not None)
        self._questions = Questions(self.rules, name)
        self._terms_of = lru_cache(maxsize=1024)(self._joined)

    def needs_action(self, fleet: str, tool: str | None = None) -> bool:
        """Whether a rule that may match looks at the action itself. ``tool`` narrows it down."""
        mask = self._asking & self._fleet.of(fleet)
        return bool(mask if tool is None else mask & self._tool.of(tool))

    def asks_labels(self, fleet: str, tool: str) -> bool:
        """Whether a rule that may match looks at labels."""
        return bool(self._labelled & self._fleet.of(fleet) & self._tool.of(tool))

    def is_shadow(self, fleet: str) -> bool:
        return self._fleets.get(fleet, _EMPTY).mode == "shadow"

    def default_of(self, fleet: str) -> Policy | None:
        """The fleet's policy where no rule matches; None: the file says nothing of it."""
        return self._fleets.get(fleet, _EMPTY).policy

    def terms_of(self, fleet: str) -> Terms:
        """What the fleet's actions wait under where no rule says it."""
        return self._fleets.get(fleet, _EMPTY).terms or USUAL

    def terms_unknown(self, fleet: str) -> Terms:
        """What an action of the fleet waits under where nobody knows which rule matches it: it is no easier
        to approve than any rule that may says.
        """
        usual = self.terms_of(fleet)
        may_match = tuple(bits_of(self._levels[Effect.PARK] & ~self._shadow & self._fleet.of(fleet)))
        hardest = joined([usual, *(self.rules[number].terms or usual for number in may_match)])
        kept = ("roles", "approve", "reject", "reason_required", "may_edit")
        harder = {name: getattr(hardest, name) for name in kept}
        return usual.model_copy(update=harder | {"may_remember": False})

    def budget_of(self, fleet: str) -> Budget | None:
        return self._fleets.get(fleet, _EMPTY).budget

    @property
    def channels(self) -> frozenset[str]:
        """The channels for notices that the file names."""
        steps = (step for terms in self._all_terms().values() for step in terms.escalate)
        told = (channel for terms in self._all_terms().values() for channel in terms.notify)
        return frozenset(told) | {channel for step in steps for channel in step.notify}

    @property
    def quorums(self) -> dict[str, Quorum]:
        """Which roles may approve, and how many must: by ``rule.NAME`` and ``fleet.NAME``.

        Of a rule together with those that surely match what it matches.
        """
        rules = {f"rule.{name}": quorum for name, quorum in quorums_of(self.rules).items()}
        fleets = {f"fleet.{name}": section.terms for name, section in self._fleets.items()}
        return rules | {where: quorum_of(terms) for where, terms in fleets.items() if terms is not None}

    def rule(self, facts: Facts, default: Default, version: str) -> Ruling:
        """What is to be done. Never raises: what goes wrong parks.

        ``default`` is asked where no rule matches, and says the version itself; ``version`` is that of
        the file. What ``failed`` is never released, in shadow mode neither.
        """
        try:
            return self._rule(facts, default, version)
        except Exception:
            log.exception("the policy failed on an action of fleet %s: it is parked", facts.fleet)
            return Ruling(Effect.PARK, version, (BROKEN,), self.terms_unknown(facts.fleet))

    def run_tests(
        self,
        assess: Assess | None = None,
        *,
        targets: TargetsOf | None = None,
        default: DefaultOf | None = None,
    ) -> list[TestResult]:
        """The file's own tests. Without ``assess`` those that the analyzers must rate are skipped."""
        return run(self, self._tests, assess, targets=targets, default=default)

    def untold(self, facts: Facts) -> list[str]:
        """Which rules park since their target or condition can't be told, and why not."""
        asked = self._questions.about(facts, unsure=0)
        found = []
        for number in bits_of(self._matching(facts) & self._asking):
            try:
                self._questions.ask(number, asked)
            except Exception as error:
                found.append(f"rule {self.rules[number].name!r} can't be told, so it parks: {error}")
        return found

    def _rule(self, facts: Facts, default: Default, version: str) -> Ruling:
        mask = self._matching(facts)
        asked = self._questions.about(facts, unsure=self._unsure(facts))
        enforced = self._resolve(mask & ~self._shadow, facts, asked, default, version)
        if self.is_shadow(facts.fleet) and not facts.failed and enforced.effect is not Effect.RELEASE:
            return Ruling(Effect.RELEASE, enforced.version, would=enforced.effect, would_by=enforced.rules)
        if not mask & self._shadow:
            return enforced
        tried = self._resolve(mask, facts, asked, default, version)
        if tried.effect is enforced.effect:
            return enforced
        return Ruling(
            enforced.effect,
            enforced.version,
            enforced.rules,
            enforced.terms,
            enforced.reason,
            would=tried.effect,
            would_by=tried.rules,
        )

    def _matching(self, facts: Facts) -> int:
        """The rules whose matchers hold, but for targets, conditions and what is unsure."""
        mask = self._fleet.of(facts.fleet) & self._tool.of(facts.tool) & self._risk[facts.risk]
        if LOST not in facts.labels:
            mask &= self._label.among(facts.labels)
        if len(facts.findings) < MAX_FINDINGS:
            mask &= self._finding.among(facts.findings)
        mask &= self._redacted.among(facts.redacted)
        if not mask:
            return 0
        mask = self._agent.narrowed(mask, facts.agent)
        mask = self._conversation.narrowed(mask, facts.conversation)
        return mask & self._time.mask(facts.now_ms)

    def _resolve(self, mask: int, facts: Facts, asked: Asked, default: Default, version: str) -> Ruling:
        """The strictest outcome of these rules, or the fleet's default."""
        if mask and (found := self._strictest(mask, asked, facts.failed)):
            effect, numbers = found
            rules = [self.rules[number] for number in numbers]
            terms = self._terms_of(facts.fleet, tuple(numbers)) if effect is Effect.PARK else USUAL
            if effect is Effect.PARK and not all(map(asked.holds, numbers)):
                terms = terms.model_copy(update={"may_remember": False})  # nobody knows: a person must look
            return Ruling(
                effect,
                version,
                tuple(rule.name for rule in rules[:MAX_NAMED]),
                terms,
                next((rule.reason for rule in rules if rule.reason), "") if effect is Effect.REJECT else "",
            )
        ruling = default(facts)
        if facts.failed and ruling.effect is Effect.RELEASE:
            return Ruling(Effect.PARK, ruling.version, terms=self.terms_of(facts.fleet))
        if ruling.effect is Effect.PARK and ruling.terms is USUAL:
            return Ruling(Effect.PARK, ruling.version, ruling.rules, self.terms_of(facts.fleet))
        return ruling

    def _strictest(self, mask: int, asked: Asked, failed: bool) -> tuple[Effect, list[int]] | None:
        """The strictest level with a rule that holds. One whose question fails parks, whatever it says."""
        broken: list[int] = []
        for effect in (Effect.REJECT, Effect.PARK, Effect.RELEASE):
            if effect is Effect.RELEASE and failed and not broken:
                return None
            holding: list[int] = []
            for number in bits_of(mask & self._levels[effect]):
                holds = asked.holds(number)
                if holds is None:
                    broken.append(number)
                elif holds:
                    holding.append(number)
            if broken and effect is not Effect.REJECT:
                park = holding if effect is Effect.PARK else []
                return Effect.PARK, sorted({*broken, *park})
            if holding:
                return effect, holding
        return None

    def _unsure(self, facts: Facts) -> int:
        """The rules of which nobody knows whether they match: an assessment keeps 64 findings.

        Where it is full, the one that a rule asks for may have been cut off, and what is buried under 64
        others must not get away. Where a conversation's history is lost, so may be the label.
        """
        full, lost = len(facts.findings) >= MAX_FINDINGS, LOST in facts.labels
        unsure = ~self._finding.among(facts.findings) | self._finding.each if full else 0
        return unsure | ~self._label.among(facts.labels) if lost else unsure

    def _joined(self, fleet: str, numbers: tuple[int, ...]) -> Terms:
        return joined([self.rules[number].terms or self.terms_of(fleet) for number in numbers])

    def _all_terms(self) -> dict[str, Terms]:
        rules = {f"rule.{rule.name}": rule.terms for rule in self.rules}
        fleets = {f"fleet.{name}": section.terms for name, section in self._fleets.items()}
        return {where: terms for where, terms in (rules | fleets).items() if terms is not None}
