"""Deciding: what becomes of a rated action, under the circumstances that stand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import UnusableEntry
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.settings import Settings
from guardtier.state import State
from guardtier.store.delivery import Delivery
from guardtier.store.ledger import Circumstances, Decision, Transition
from guardtier.store.records import Records
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.breaker import limits_of
from guardtier_workers.clock import now_ms
from guardtier_workers.facts import check_same
from guardtier_workers.grants.remembered import Remembered, named
from guardtier_workers.labels import OwnLabels
from guardtier_workers.lane import Lane
from guardtier_workers.notices.plan import posted
from guardtier_workers.policies import Policies
from guardtier_workers.shown import Shown
from guardtier_workers.stopping import stop_under
from guardtier_workers.targets import TargetsUnknown, targets_of

#: Called with partition and deadline (ms) of what was parked, to have it expired in time.
Schedule = Callable[[int, int], Awaitable[None]]

FAILED = "policy.failed"  #: the version of a decision that no policy made


class Deciding:
    """Decides on assessed actions of every partition."""

    def __init__(
        self,
        settings: Settings,
        policies: Policies,
        records: Records,
        remembered: Remembered,
        schedule: Schedule | None,
        parked: Callable[[str, Lane], None],
        shown: Shown,
    ) -> None:
        self._shown = shown
        self._parked = parked
        self._settings = settings
        self._remembered = remembered
        self._policies = policies
        self._records = records
        self._schedule = schedule
        self._labels = OwnLabels(settings)

    async def decide(self, lane: Lane, delivery: Delivery) -> None:
        """Release it, park it or reject it; once more for as long as the circumstances change."""
        fleet = delivery.text(b"fleet")
        try:
            assessment = delivery.assessment
        except UnusableEntry as error:
            await self.bury(lane, delivery, error.message)
            return
        circumstances = self._policies.expected(delivery.partition, fleet)
        while True:
            try:
                decision = await self._decision(delivery, assessment, circumstances)
            except UnusableEntry as error:
                await self.bury(lane, delivery, error.message)
                return
            done = await self._record(lane, delivery, decision)
            if done.what != "moved":
                return
            circumstances = Circumstances(*done.more)

    async def bury(self, lane: Lane, delivery: Delivery, why: str) -> None:
        """Park what could not be decided, whatever the circumstances are. It is not easier to approve than
        what a rule parks.
        """
        fleet = delivery.text(b"fleet")
        terms = self._policies.last_seen(delivery.partition, fleet).terms_unknown(fleet)
        limit = terms.time_limit
        park_ms = self._settings.park_ms_of(fleet) if limit is None else int(limit * 1000)
        sealed = self._shown.seal_if_any(delivery)
        parked = Decision(
            "parked", FAILED, park_ms=park_ms, terms=terms.to_json(), sealed=sealed, under=None
        )
        await self._record(lane, delivery, parked, dead_letter=why)

    async def _decision(
        self, delivery: Delivery, assessment: Assessment, circumstances: Circumstances
    ) -> Decision:
        fleet = delivery.text(b"fleet")
        policy = await self._policies.under(delivery.partition, fleet, circumstances)
        tool, alone = delivery.text(b"tool"), not delivery.text(b"conversation")
        unlabelled = alone and policy.asks_labels(fleet, tool)  # of one in a conversation, they are known
        asked = unlabelled or policy.needs_action(fleet, tool)
        action = (await self._records.get(delivery.id)).action if asked else None
        if action is not None:
            check_same(delivery, action)
        if action is not None and alone:
            labels = self._labels.of(action, assessment)
            assessment = assessment.model_copy(update={"labels": labels})
        ruling = policy.rule(facts_of(delivery, assessment, action))
        stop = stop_under(circumstances)
        if stop is not None:
            ruling, assessment = stop.over(ruling), stop.told_in(assessment)
        budget = None if circumstances.halt else policy.budget_of(fleet)
        limits = limits_of(budget, delivery, spread=self._settings.partitions > 1)
        tainted = assessment.labels if not alone and policy.asks_labels(fleet, tool) else ()
        grants = await self._remembered.covering(
            delivery, assessment, ruling, circumstances, labels=tainted
        )
        if ruling.effect is Effect.PARK and not grants:
            return Decision(
                State.PARKED.value,
                ruling.version,
                park_ms=self._park_ms(fleet, ruling),
                terms=ruling.terms.to_json(),
                details=details_of(ruling),
                outbox=posted(ruling.terms, "parked", now_ms()),
                assessment=assessment.to_json() if stop else b"",
                limits=limits,
                sealed=self._shown.seal(delivery),
                under=circumstances,
            )
        rejected = ruling.effect is Effect.REJECT
        verdict = Verdict(
            id=delivery.id,
            outcome=Outcome.REJECTED if rejected else Outcome.RELEASED,
            digest=delivery.text(b"digest"),
            risk=assessment.risk,
            findings=assessment.findings,
            reason=ruling.reason if rejected else "",
            policy=ruling.version,
            rules=ruling.rules,
            grant=named(grants),
            decided_at=now_ms(),
        )
        details = details_of(ruling, verdict.grant)
        return Decision(
            verdict.outcome.value,
            ruling.version,
            verdict,
            details=details,
            limits=limits,
            under=circumstances,
        )

    def _park_ms(self, fleet: str, ruling: Ruling) -> int:
        limit = ruling.terms.time_limit
        return self._settings.park_ms_of(fleet) if limit is None else int(limit * 1000)

    async def _record(
        self, lane: Lane, delivery: Delivery, decision: Decision, *, dead_letter: str = ""
    ) -> Transition:
        done = await lane.ledger.decide(
            delivery,
            decision,
            fleet=delivery.text(b"fleet"),
            agent=delivery.text(b"agent"),
            conversation=delivery.text(b"conversation"),
            digest=delivery.text(b"digest"),
            waiters=delivery.text(b"client"),
            dead_letter=dead_letter,
        )
        if done.what == "gone":
            raise UnusableEntry(f"no record of {delivery.id[:80]} is there to be decided", field="id")
        if done.what == "parked":
            self._parked(delivery.id, lane)
            if self._schedule is not None:
                await self._schedule(delivery.partition, int(done.state))
        return done


def facts_of(delivery: Delivery, assessment: Assessment, action: ActionEvent | None) -> Facts:
    """What the policy is asked about."""
    return Facts(
        fleet=delivery.text(b"fleet"),
        agent=delivery.text(b"agent"),
        tool=delivery.text(b"tool"),
        risk=assessment.risk,
        conversation=delivery.text(b"conversation") or None,
        findings=tuple(finding.id for finding in assessment.findings),
        labels=assessment.labels,
        redacted=tuple(delivery.text(b"redacted").split()),
        failed=assessment.failed,
        now_ms=now_ms(),
        action=action,
        targets=targets_of(action, assessment.findings) if action else _no_targets,
    )


def _no_targets() -> tuple[str, ...]:
    """Of a policy that did not ask for the action."""
    raise TargetsUnknown("no rule asked for them")


def details_of(ruling: Ruling, grant: str | None = None) -> bytes:
    """What the audit line says of a ruling besides its outcome; b"" where there is nothing."""
    said = {
        "rules": ruling.rules,
        "would": ruling.would.value if ruling.would else None,
        "would_by": ruling.would_by,
        "grant": grant,
    }
    told = {name: value for name, value in said.items() if value}
    return orjson.dumps(told) if told else b""
