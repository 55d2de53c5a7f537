"""Replay: recorded actions run through another policy and today's analyzers, and what would change.

It reads the audit streams and the records that still exist, and writes nothing. What is compared is the
first decision on each action: released, parked, or rejected by the policy; for a fleet in shadow mode what
would have been done. The conversations' histories are not played again: what was found in them (``flow.…``)
counts as it was found.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment, Finding
from guardtier.errors import GuardtierError
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.policy.standing import EVERY_FLEET, StandingPolicy
from guardtier.risk import SecurityRisk, highest
from guardtier.settings import Settings
from guardtier.store.ledger import Circumstances
from guardtier.store.records import Record, Records
from guardtier.store.trail import Line, Trail
from guardtier_workers.policies import InForce, Policies, in_force, nobody_knows
from guardtier_workers.policyfiles import FileInForce
from guardtier_workers.targets import targets_of

BATCH = 50  #: records held at once: 50 MiB at the most
EXAMPLES = 3  #: kept of each kind of change
MAX_KINDS = 500  #: of changes; what comes beyond them is only counted
FLOW = "flow."  #: the findings that need a conversation's history

#: Rates an action as the tier would today.
Rate = Callable[[ActionEvent], Awaitable[Assessment]]
#: Says what would be done: called with the action's partition and what is known of it.
Rule = Callable[[int, Facts], Awaitable[Ruling]]

_FIRST = {"released": Effect.RELEASE, "parked": Effect.PARK, "rejected": Effect.REJECT}


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision. ``rules`` are those of the policy that decided; none: its default."""

    id: str
    partition: int
    at: int
    effect: Effect
    policy: str
    rules: tuple[str, ...] = ()

    @classmethod
    def on(cls, line: Line) -> Decided | None:
        """The first decision on an action that this line tells of; None where it tells of something else.

        A rejection by a person has a ``by``: their action was parked, which stands in another line.
        """
        effect = _FIRST.get(line.text("event"))
        if effect is None or b"by" in line.fields:
            return None
        details = _details(line)
        would, by = details.get("would"), "would_by" if details.get("would") else "rules"
        return cls(
            id=line.text("id"),
            partition=line.partition,
            at=line.at,
            effect=Effect(would) if would in list(Effect) else effect,
            policy=line.text("policy"),
            rules=tuple(str(name) for name in details.get(by) or ()),
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """One action, decided on once more. ``was`` is the recorded decision, ``rated`` the recorded risk."""

    action: ActionEvent
    was: Decided
    now: Effect
    policy: str
    rules: tuple[str, ...]
    rated: SecurityRisk
    risk: SecurityRisk

    @property
    def changed(self) -> bool:
        return self.now is not self.was.effect


@dataclass(slots=True)
class Change:
    """Actions that would be decided on otherwise, by the same rules, from the same outcome."""

    was: Effect
    now: Effect
    was_rules: tuple[str, ...]
    rules: tuple[str, ...]
    count: int = 0
    rated_otherwise: int = 0  #: of these, so many are rated otherwise than they were
    examples: list[Replayed] = field(default_factory=list)

    def add(self, one: Replayed) -> None:
        self.count += 1
        self.rated_otherwise += one.rated is not one.risk
        if len(self.examples) < EXAMPLES:
            self.examples.append(one)


@dataclass(slots=True)
class Report:
    """What a replay came to. ``gone``: decided on, but the record is past its retention.

    ``unread``: what nobody could read then, and is parked whatever the policy. ``more`` counts changes of
    kinds beyond MAX_KINDS.
    """

    replayed: int = 0
    gone: int = 0
    unread: int = 0
    rated_otherwise: int = 0
    more: int = 0
    changes: dict[tuple[Effect, Effect, tuple[str, ...], tuple[str, ...]], Change] = field(
        default_factory=dict
    )

    def add(self, one: Replayed) -> None:
        self.replayed += 1
        self.rated_otherwise += one.rated is not one.risk
        if not one.changed:
            return
        kind = (one.was.effect, one.now, one.was.rules, one.rules)
        if kind not in self.changes and len(self.changes) >= MAX_KINDS:
            self.more += 1
            return
        self.changes.setdefault(kind, Change(*kind)).add(one)

    @property
    def sorted(self) -> list[Change]:
        """Newly rejected first, then newly parked, then newly released; the most frequent first."""
        return sorted(self.changes.values(), key=lambda one: (-one.now.strictness, -one.count))

    def newly(self, effect: Effect) -> int:
        """How many would newly be released, parked or rejected."""
        return sum(one.count for one in self.changes.values() if one.now is effect)


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
        async for batch in self._batches(since_ms, fleet):
            found = {record.id: record for record in await self._records.many([one.id for one in batch])}
            for decided in batch:
                await self._replay(decided, found.get(decided.id), report)
        return report

    async def _batches(self, since_ms: int, fleet: str | None) -> AsyncIterator[list[Decided]]:
        batch: list[Decided] = []
        async for line in self._trail.since(since_ms):
            if fleet is not None and line.text("fleet") != fleet:
                continue
            decided = Decided.on(line)
            if decided is None:
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
        try:
            action = record.action
        except GuardtierError:
            report.unread += 1
            return
        recorded = record.assessment
        today = recorded if self._rate is None else with_flow(await self._rate(action), recorded)
        ruling = await self._rule(was.partition, facts_of(action, record, today))
        effect, rules = (ruling.would, ruling.would_by) if ruling.would else (ruling.effect, ruling.rules)
        report.add(Replayed(action, was, effect, ruling.version, rules, recorded.risk, today.risk))


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


def facts_of(action: ActionEvent, record: Record, rated: Assessment) -> Facts:
    """What the policy is asked about: the action as it was, at the time when it came."""
    return Facts(
        fleet=record.fleet,
        agent=action.agent,
        tool=action.tool_name,
        risk=rated.risk,
        conversation=action.conversation,
        findings=tuple(finding.id for finding in rated.findings),
        labels=rated.labels,
        failed=rated.failed,
        now_ms=record.received_at,
        action=action,
        targets=targets_of(action, rated.findings),
    )


def _details(line: Line) -> dict[str, Any]:
    try:
        found = orjson.loads(line.fields.get(b"details", b"{}"))
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


__all__ = ["Change", "Decided", "Replay", "Replayed", "Report", "Trial", "with_flow"]
