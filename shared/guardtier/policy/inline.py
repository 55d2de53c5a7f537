"""Inline tests: ``[[test]]`` of a policy file, an action and what is to become of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment, Finding
from guardtier.policy.confirmation import ConfirmRisky, Policy
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.redacted import rules_marked_in
from guardtier.risk import SecurityRisk

if TYPE_CHECKING:
    from guardtier.policy.compiled import CompiledPolicy

NOON = 1_767_355_200_000  #: when a test happens that does not say it: Friday 2026-01-02, 12:00 UTC

MOST_NAMED = 8  #: findings, labels and targets that a failed test tells

#: Rates a test's action, as the tier's analyzers would.
Assess = Callable[[ActionEvent], Assessment]
#: What tells the paths and addresses that an action with these findings touches (workers' targets_of).
TargetsOf = Callable[[ActionEvent, Sequence[Finding]], Callable[[], tuple[str, ...]]]
#: The policy of a fleet of which the file says nothing.
DefaultOf = Callable[[str], Policy]


FindingId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=128)]


def _filled(value: Any) -> Any:
    """The action of a test may leave out who sends it."""
    return {"id": "test", "agent": "test", **value} if isinstance(value, dict) else value


class InlineTest(BaseModel):
    """An action, and what the file must say of it.

    It is rated by the analyzers unless it says ``risk`` (with ``findings``) or ``failed``. ``expect`` is
    what the rules say, in a fleet in shadow mode too; ``rules`` are those that must decide (an empty list:
    the default), ``would`` is what rules in shadow mode would make of it. ``at``: when it happens, a date
    and time with its offset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    action: Annotated[ActionEvent, BeforeValidator(_filled)]
    expect: Effect
    rules: tuple[str, ...] | None = None
    would: Effect | None = None
    risk: SecurityRisk | None = None
    findings: tuple[FindingId, ...] = ()
    labels: tuple[str, ...] = ()
    redacted: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None
    failed: bool = False
    at: datetime | None = None
    reason: str | None = Field(default=None, description="what the agent must be told")

    @field_validator("at")
    @classmethod
    def _has_an_offset(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("give the offset: 2026-01-05T22:30:00+01:00")
        return at

    @model_validator(mode="after")
    def _findings_come_with_a_risk(self) -> Self:
        if self.findings and self.risk is None:
            raise ValueError("findings are given, so give the risk too: the analyzers are not asked")
        return self

    @property
    def is_rated(self) -> bool:
        """Whether it says itself what the analyzers would."""
        return self.risk is not None or self.failed


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test ended. ``ruling`` is None where it was skipped, for want of analyzers."""

    __test__ = False  # nothing for pytest to collect

    name: str
    expect: Effect
    ruling: Ruling | None
    wrong: str = ""  #: what is not as expected, in words; empty where it passed
    known: str = ""  #: of one that failed: what its rules could be about

    @property
    def skipped(self) -> bool:
        return self.ruling is None

    @property
    def passed(self) -> bool:
        return self.ruling is not None and not self.wrong


def run(
    policy: CompiledPolicy,
    tests: Sequence[InlineTest],
    assess: Assess | None = None,
    *,
    targets: TargetsOf | None = None,
    default: DefaultOf | None = None,
) -> list[TestResult]:
    """Every test's result. Without ``assess`` (or ``targets``) those that need it are skipped."""
    return [_Run(policy, one, targets, default).result(assess) for one in tests]


class _Run:
    """One test under way."""

    def __init__(
        self,
        policy: CompiledPolicy,
        test: InlineTest,
        targets: TargetsOf | None,
        default: DefaultOf | None,
    ) -> None:
        self._policy = policy
        self._test = test
        self._targets_of = targets
        self._default_of = default
        self._missed = False

    def result(self, assess: Assess | None) -> TestResult:
        test = self._test
        if not test.is_rated and assess is None:
            return TestResult(test.name, test.expect, None)
        facts = self._facts(assess)
        ruling = self._policy.rule(facts, self._default, "test")
        if self._missed:
            return TestResult(test.name, test.expect, None)
        wrong = self._wrong(ruling)
        return TestResult(test.name, test.expect, ruling, wrong, self._known(facts) if wrong else "")

    def _known(self, facts: Facts) -> str:
        """What rules could be about: that a finding or a target is another one is seen nowhere else."""
        found = ", ".join(facts.findings[:MOST_NAMED]) or "nothing"
        says = f"it is {facts.risk.value}, found: {found}"
        if facts.labels:
            says += f", labels: {', '.join(facts.labels[:MOST_NAMED])}"
        if any(rule.target for rule in self._policy.rules):
            try:
                says += f", targets: {', '.join(facts.targets()[:MOST_NAMED]) or 'none'}"
            except Exception as error:  # as a rule that asks for them takes it
                says += f", targets can't be told ({error})"
        return "; ".join([says, *self._policy.untold(facts)[:MOST_NAMED]])

    def _facts(self, assess: Assess | None) -> Facts:
        test, action = self._test, self._test.action
        rated = assess(action) if assess is not None and not test.is_rated else self._declared()
        return Facts(
            fleet=action.fleet,
            agent=action.agent,
            tool=action.tool_name,
            risk=rated.risk,
            conversation=action.conversation,
            findings=tuple(found.id for found in rated.findings),
            labels=(*rated.labels, *test.labels),
            redacted=(*rules_marked_in(action), *test.redacted),
            failed=rated.failed,
            now_ms=int(test.at.timestamp() * 1000) if test.at else NOON,
            action=action,
            targets=self._targets(rated),
        )

    def _declared(self) -> Assessment:
        test = self._test
        risk = test.risk or SecurityRisk.HIGH
        found = tuple(Finding(id=one, risk=risk, message="") for one in test.findings)
        return Assessment(risk=risk, findings=found, failed=test.failed)

    def _targets(self, rated: Assessment) -> Callable[[], tuple[str, ...]]:
        named = self._test.targets
        if named is not None:
            return lambda: named
        if self._targets_of is not None:
            return self._targets_of(self._test.action, rated.findings)

        def missed() -> tuple[str, ...]:
            self._missed = True
            return ()

        return missed

    def _default(self, facts: Facts) -> Ruling:
        own = self._policy.default_of(facts.fleet)
        policy = own or (self._default_of(facts.fleet) if self._default_of else ConfirmRisky())
        parks = facts.failed or policy.should_confirm(facts.risk)
        return Ruling(Effect.PARK if parks else Effect.RELEASE, policy.version)

    def _wrong(self, ruling: Ruling) -> str:
        """What is not as expected. A fleet's shadow mode is looked through; that of a rule is not."""
        test = self._test
        looked_through = self._policy.is_shadow(test.action.fleet) and ruling.would is not None
        effect = ruling.would if looked_through and ruling.would else ruling.effect
        rules = ruling.would_by if looked_through else ruling.rules
        named = ", ".join(rules) or "the default"
        if effect is not test.expect:
            return f"expected {test.expect.value}, got {effect.value} by {named}"
        if test.rules is not None and sorted(test.rules) != sorted(rules):
            return f"expected by {', '.join(test.rules) or 'the default'}, got {effect.value} by {named}"
        if test.would is not None and test.would is not (ruling.would or effect):
            return f"expected that it would {test.would.value}, got {(ruling.would or effect).value}"
        if test.reason is not None and test.reason != ruling.reason:
            return f"expected the reason {test.reason!r}, got {ruling.reason!r}"
        return ""
