"""What policy a fleet is under: the settings' one, or what an approver has set at run time.

A worker decides under what it saw last; the script compares that with what stands (``decide.lua``), so
a policy counts for the next action on every worker, without anybody asking Redis beforehand.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from guardtier.policy.budget import Budget
from guardtier.policy.confirmation import AlwaysConfirm, Policy
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.policy.standing import UNREADABLE, StandingPolicy
from guardtier.settings import Settings
from guardtier.store.ledger import Circumstances
from guardtier.store.records import Records

log = logging.getLogger(__name__)

MOST = 10_000  #: fleets remembered; beyond them each is learned anew


@dataclass(frozen=True, slots=True)
class InForce:
    """What a decision is made under: the fleet's own policy, which is asked where no rule matches."""

    policy: Policy
    version: str
    budget: Budget | None = None

    def budget_of(self, fleet: str) -> Budget | None:
        """What an agent of this fleet may do before it is halted."""
        return self.budget

    def needs_action(self, fleet: str) -> bool:
        """Whether a rule for this fleet looks at more than the facts that a worker has at hand."""
        return False

    def rule(self, facts: Facts) -> Ruling:
        """What is to be done. Never raises."""
        parks = facts.failed or self.policy.should_confirm(facts.risk)
        return Ruling(Effect.PARK if parks else Effect.RELEASE, self.version)


class Policies:
    """What this worker knows of every fleet, in each partition."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self._settings = settings
        self._records = records
        self._seen: dict[tuple[int, str], tuple[Circumstances, InForce]] = {}

    def expected(self, partition: int, fleet: str) -> Circumstances:
        """What a decision is tried under first: no halt, no block, and the policies seen last."""
        seen = self._seen.get((partition, fleet))
        return seen[0] if seen else Circumstances()

    async def under(self, partition: int, fleet: str, circumstances: Circumstances) -> InForce:
        """What stands under these. What can't be read parks every action, and says so in its version."""
        lasting = circumstances._replace(halt=b"", block=b"")
        seen = self._seen.get((partition, fleet))
        if seen is not None and seen[0] == lasting:
            return seen[1]
        found = self._read(fleet, lasting.policy)
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[partition, fleet] = lasting, found
        return found

    def _read(self, fleet: str, raw: bytes) -> InForce:
        budget = self._settings.budget_of(fleet)
        try:
            standing = StandingPolicy.read(raw)
        except ValueError:
            log.exception("fleet %s: its policy can't be read, so all is parked until one is set", fleet)
            return InForce(AlwaysConfirm(), UNREADABLE, budget)
        if standing is None or standing.policy is None:
            policy = self._settings.policy_of(fleet)
            return InForce(policy, policy.version + (f"@{standing.version}" if standing else ""), budget)
        return InForce(standing.policy, standing.label, budget)
