"""Replay: recorded actions run through another policy and today's analyzers, and what would change.

It reads the audit streams and the records that still exist, and writes nothing. What is compared is the
first decision on each action: released, parked, or rejected by the policy; for a fleet in shadow mode what
would have been done. The conversations' histories are not played again: what was found in them (``flow.…``)
counts as it was found.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment, Finding
from guardtier.errors import GuardtierError
from guardtier.policy.ruling import Facts, Ruling
from guardtier.policy.standing import EVERY_FLEET, StandingPolicy
from guardtier.risk import SecurityRisk, highest
from guardtier.settings import Settings
from guardtier.store.ledger import Circumstances
from guardtier.store.records import Record, Records
from guardtier.store.trail import Trail
from guardtier_workers.facts import facts_on
from guardtier_workers.policies import InForce, Policies, in_force, nobody_knows
from guardtier_workers.policyfiles import FileInForce
from guardtier_workers.replay_report import Decided, Replayed, Report

BATCH = 50  #: records held at once: 50 MiB at the most
FLOW = "flow."  #: the findings that need a conversation's history

#: Rates an action as the tier would today.
Rate = Callable[[ActionEvent], Awaitable[Assessment]]
#: Says what would be done: called with the action's partition and what is known of it.
Rule = Callable[[int, Facts], Awaitable[Ruling]]


class Trial:
    """The rule of a replay: another policy file in the place of the one that stands.

    The fleets' own policies are those that stand now. Without a ``file``, the one that stands counts.
    """

    def __init__(self, settings: Settings, records: Records, file: FileInForce | None = None) -> None:
        self._settings, self._records, self._file = settings, records, file
        self._policies = Policies(settings, records)
        self._known: dict[tuple[int, str], InForce] = {}

    async def rule(self, partition: int, facts: Facts) -> Ruling:
        place = (partition, facts.fleet)
        if place not in self._known:
            self._known[place] = await self._under(*place)
        return self._known[place].rule(facts)

    async def _under(self, partition: int, fleet: str) -> InForce:
        policy = await self._records.policy(partition, fleet)
        if self._file is None:
            file = await self._records.policy(partition, EVERY_FLEET)
            return await self._policies.under(partition, fleet, Circumstances(policy, file))
        try:
            standing = StandingPolicy.read(policy)
        except ValueError:
            return nobody_knows(self._settings, fleet)
        return in_force(self._settings, fleet, standing, self._file)


class Replay:
    """Runs recorded actions through ``rule``; through ``rate`` before, or as they were rated where None."""

    def __init__(self, records: Records, trail: Trail, rule: Rule, rate: Rate | None = None) -> None:
        self._records, self._trail = records, trail
        self._rule, self._rate = rule, rate

    async def run(self, since_ms: int, *, fleet: str | None = None) -> Report:
        """Everything decided on since then (ms since 1970), of one fleet where it is named."""
        report = Report()
        async for batch in self._batches(since_ms, fleet, report):
            found = {record.id: record for record in await self._records.many([one.id for one in batch])}
            for decided in batch:
                await self._replay(decided, found.get(decided.id), report)
        return report

    async def _batches(
        self, since_ms: int, fleet: str | None, report: Report
    ) -> AsyncIterator[list[Decided]]:
        batch: list[Decided] = []
        async for line in self._trail.since(since_ms):
            if fleet is not None and line.text("fleet") != fleet:
                continue
            decided = Decided.on(line)
            if decided is None:
                continue
            if not decided.by_policy:
                report.beyond += 1
                continue
            batch.append(decided)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _replay(self, was: Decided, record: Record | None, report: Report) -> None:
        if record is None:
            report.gone += 1
            return
        if record.asked is not None:
            report.edited += 1
            return
        try:
            action = record.action
        except GuardtierError:
            report.unread += 1
            return
        recorded = record.assessment
        today = recorded if self._rate is None else with_flow(await self._rate(action), recorded)
        ruling = await self._rule(was.partition, facts_on(action, today, at_ms=record.received_at))
        shadow = ruling.would is not None
        report.add(
            Replayed(
                action,
                was,
                now=ruling.would or ruling.effect,
                policy=ruling.version,
                rules=ruling.would_by if shadow else ruling.rules,
                rated=recorded.risk,
                risk=today.risk,
                shadow=shadow,
            )
        )


def with_flow(today: Assessment, recorded: Assessment) -> Assessment:
    """Today's rating, with what was found in the conversation then, and with its labels."""
    known = {finding.id for finding in today.findings}
    kept = [found for found in recorded.findings if found.id.startswith(FLOW) and found.id not in known]
    findings = (*today.findings, *kept)
    return today.model_copy(
        update={
            "risk": _risk_of(today.risk, kept),
            "findings": findings,
            "labels": recorded.labels or today.labels,
        }
    )


def _risk_of(risk: SecurityRisk, more: list[Finding]) -> SecurityRisk:
    """As the ensemble has it: short of HIGH, a finding that says UNKNOWN makes the whole UNKNOWN."""
    risks = [risk, *(finding.risk for finding in more)]
    found = highest(risks)
    if found is not SecurityRisk.HIGH and SecurityRisk.UNKNOWN in risks:
        return SecurityRisk.UNKNOWN
    return found
