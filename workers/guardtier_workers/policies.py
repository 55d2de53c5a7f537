"""What policy a fleet is under: the file that counts, and the fleet's own, set at run time or not.

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
from guardtier.policy.terms import USUAL, Terms
from guardtier.settings import Settings
from guardtier.store.ledger import Circumstances
from guardtier.store.records import Records
from guardtier_workers.policyfiles import FileInForce, PolicyFiles, Unreadable

log = logging.getLogger(__name__)

MOST = 10_000  #: fleets remembered; beyond them each is learned anew


@dataclass(frozen=True, slots=True)
class InForce:
    """What a decision is made under: the fleet's own policy, which is asked where no rule matches."""

    policy: Policy
    version: str
    file: FileInForce | None = None
    budget: Budget | None = None

    def needs_action(self, fleet: str, tool: str | None = None) -> bool:
        """Whether a rule for this fleet looks at more than the facts that a worker has at hand."""
        return self.file is not None and self.file.compiled.needs_action(fleet, tool)

    def asks_labels(self, fleet: str, tool: str) -> bool:
        """Whether a rule for this fleet looks at labels."""
        return self.file is not None and self.file.compiled.asks_labels(fleet, tool)

    def budget_of(self, fleet: str) -> Budget | None:
        """What an agent of the fleet may do before it is halted: the file's word, else the settings'."""
        return (self.file.compiled.budget_of(fleet) if self.file else None) or self.budget

    def terms_unknown(self, fleet: str) -> Terms:
        """What is parked without a decision waits under."""
        return self.file.compiled.terms_unknown(fleet) if self.file else USUAL

    def is_shadow(self, fleet: str) -> bool:
        """Whether the fleet's actions are all released, and only what would be done is recorded."""
        return self.file is not None and self.file.compiled.is_shadow(fleet)

    def rule(self, facts: Facts) -> Ruling:
        """What is to be done. Never raises."""
        if self.file is None:
            return self._default(facts)
        return self.file.compiled.rule(facts, self._default, self.file.label)

    def _default(self, facts: Facts) -> Ruling:
        parks = facts.failed or self.policy.should_confirm(facts.risk)
        return Ruling(Effect.PARK if parks else Effect.RELEASE, self.version)


def nobody_knows(settings: Settings, fleet: str) -> InForce:
    """What a fleet is under where what was set can't be read: everything is parked."""
    return InForce(AlwaysConfirm(), UNREADABLE, budget=settings.budget_of(fleet))


def in_force(
    settings: Settings, fleet: str, standing: StandingPolicy | None, file: FileInForce | None
) -> InForce:
    """What was set for the fleet at run time, else what the file says of it, else the settings.

    Its version names both, since both decided: ``always_confirm@3, file@7``.
    """
    policy = standing.policy if standing else None
    if policy is None and file is not None:
        policy = file.compiled.default_of(fleet)
    if policy is None:
        policy = settings.policy_of(fleet)
    version = f"{policy.version}@{standing.version}" if standing else policy.version
    return InForce(policy, f"{version}, {file.label}" if file else version, file, settings.budget_of(fleet))


class Policies:
    """What this worker knows of every fleet, in each partition.

    Raises ConfigError where the settings' policy file is wrong.
    """

    def __init__(self, settings: Settings, records: Records) -> None:
        self._settings = settings
        self._files = PolicyFiles(settings, records)
        self._seen: dict[tuple[int, str], tuple[Circumstances, InForce]] = {}
        self._complained = b""

    @property
    def own_file(self) -> FileInForce | None:
        """The settings' policy file, which counts until one is set at run time."""
        return self._files.own

    def expected(self, partition: int, fleet: str) -> Circumstances:
        """What a decision is tried under first: no halt, no block, and the policies seen last."""
        seen = self._seen.get((partition, fleet))
        return seen[0] if seen else Circumstances()

    def last_seen(self, partition: int, fleet: str) -> InForce:
        """What this worker decided under last; the settings' where it has decided nothing yet."""
        seen = self._seen.get((partition, fleet))
        return seen[1] if seen else in_force(self._settings, fleet, None, self.own_file)

    async def under(self, partition: int, fleet: str, circumstances: Circumstances) -> InForce:
        """What stands under these. What can't be read parks every action, and says so in its version."""
        lasting = circumstances._replace(halt=b"", block=b"")
        seen = self._seen.get((partition, fleet))
        if seen is not None and seen[0] == lasting:
            return seen[1]
        try:
            file = await self._files.under(partition, lasting.file)
        except Unreadable as error:
            self._complain(lasting.file, error)
            return nobody_knows(self._settings, fleet)  # and not remembered: its text may come back
        found = self._read(fleet, lasting.policy, file)
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen[partition, fleet] = lasting, found
        return found

    def _complain(self, pointer: bytes, error: Unreadable) -> None:
        """Once for each pointer, not for each action."""
        if pointer != self._complained:
            self._complained = pointer
            log.error("everything is parked until a policy file is set, since %s", error)

    def _read(self, fleet: str, raw: bytes, file: FileInForce | None) -> InForce:
        try:
            standing = StandingPolicy.read(raw)
        except ValueError:
            log.exception("fleet %s: its policy can't be read, so all is parked until one is set", fleet)
            return nobody_knows(self._settings, fleet)
        return in_force(self._settings, fleet, standing, file)
