"""ApproverClient: how people (and services) see what is parked, and answer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from secrets import token_hex
from time import time

from guardtier.action import is_name
from guardtier.answer import key_of
from guardtier.approver_answers import ApproverAnswers
from guardtier.approver_looks import ApproverLooks
from guardtier.errors import ConfigError, PolicyNotEverywhere
from guardtier.policy.confirmation import Policy
from guardtier.policy.standing import PolicyRequest, StandingPolicy, digest_of_policy
from guardtier.store.keys import all_keys
from guardtier.store.tail import Fields, Tail


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit stream. ``at`` is in milliseconds since 1970, Redis' clock."""

    id: str
    event: str
    at: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartitionPolicy:
    """What a fleet is under in one partition, as it was set at run time.

    No ``standing``: nothing was set, the settings count; where it is not ``readable``, something was,
    and every action is parked until it is set anew. ``changed`` by the call that returned this.
    """

    partition: int
    standing: StandingPolicy | None = None
    readable: bool = True
    changed: bool = False

    @property
    def policy(self) -> Policy | None:
        """What was set; None where the settings' policy counts, or where it can't be read."""
        return self.standing.policy if self.standing else None


class ApproverClient(ApproverLooks, ApproverAnswers):
    """Reads the confirmation set, and answers with the token of one approver.

    With a token it shows that approver's fleets, by way of the tier; without one it can only read, what
    its Redis credential may. The tier decides whether an answer counts: it checks the proof, the fleets
    of the approver, the state and the digest.
    """

    async def policy(self, fleet: str) -> list[PartitionPolicy]:
        """What was set for a fleet at run time, in each partition. No token is needed."""
        found = await self._records.policies(_fleet_name(fleet))
        return [_policy_in(partition, raw) for partition, raw in enumerate(found)]

    async def set_policy(
        self, fleet: str, policy: Policy, *, timeout: float = 30.0
    ) -> list[PartitionPolicy]:
        """Put a fleet under this policy, from its next action on, whatever the settings say.

        Where it stands already nothing is sent, so it may be repeated. Raises NotAuthorized,
        UnknownFleet, WrongState (somebody else changed it meanwhile), GuardTimeout; and
        PolicyNotEverywhere where it was set in some partitions and failed in others.
        """
        return await self._configure(_fleet_name(fleet), policy, timeout)

    async def reset_policy(self, fleet: str, *, timeout: float = 30.0) -> list[PartitionPolicy]:
        """Back to the settings' policy. Raises as :meth:`set_policy`."""
        return await self._configure(_fleet_name(fleet), None, timeout)

    async def watch(self) -> AsyncIterator[AuditEvent]:
        """Every transition and refusal from now on, as it happens, through reconnects."""
        events: asyncio.Queue[AuditEvent] = asyncio.Queue()

        def hand_on(entry: str, fields: Fields) -> None:
            events.put_nowait(_audit_event(entry, fields))

        tails = [Tail(self._url, keys.audit, hand_on) for keys in all_keys(self._partitions)]
        try:
            for tail in tails:
                await tail.start()
            while True:
                yield await events.get()
        finally:
            await asyncio.gather(*(tail.close() for tail in tails))

    async def _configure(self, fleet: str, policy: Policy | None, timeout: float) -> list[PartitionPolicy]:
        """Set it in every partition; what failed somewhere is raised after all have been tried."""
        self._credentials()
        made = await asyncio.gather(
            *(self._configure_one(p, fleet, policy, timeout) for p in range(self._partitions)),
            return_exceptions=True,
        )
        failed = {p: found for p, found in enumerate(made) if isinstance(found, BaseException)}
        if not failed:
            return [found for found in made if isinstance(found, PartitionPolicy)]
        partition, error = next(iter(failed.items()))
        if len(failed) == self._partitions:
            raise error
        raise PolicyNotEverywhere(
            f"set in {self._partitions - len(failed)} of {self._partitions} partitions, repeat it: "
            f"partition {partition} says: {error}",
            limit=len(failed),
        ) from error

    async def _configure_one(
        self, partition: int, fleet: str, policy: Policy | None, timeout: float
    ) -> PartitionPolicy:
        approver, token = self._credentials()
        async with self._within(timeout, "look at the policy again before you repeat it"):
            raw = await self._records.policy(partition, fleet)
            stands = _policy_in(partition, raw)
            if stands.readable and stands.policy == policy:
                return stands
            request = PolicyRequest(
                id=f"{token_hex(12)}.{partition}",
                client=self._client_id,
                approver=approver,
                fleet=fleet,
                policy=policy,
                replaces=digest_of_policy(raw),
                at=int(time() * 1000),
            )
            fields = request.to_fields(request.proof(key_of(token)))
            reply = await self._replies.ask(self._wait(request.id, partition, fields), partition)
        return PartitionPolicy(partition, StandingPolicy.read(reply.body or b""), changed=True)


def _fleet_name(fleet: str) -> str:
    if not is_name(fleet):
        raise ConfigError("fleet must be 1 to 64 letters, digits, _ or -", field="fleet")
    return fleet


def _policy_in(partition: int, raw: bytes) -> PartitionPolicy:
    try:
        return PartitionPolicy(partition, StandingPolicy.read(raw))
    except ValueError:
        return PartitionPolicy(partition, readable=False)


def _audit_event(entry: str, fields: Fields) -> AuditEvent:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    return AuditEvent(
        id=text.pop("id", ""),
        event=text.pop("event", ""),
        at=int(entry.partition("-")[0]),
        fields=text,
    )
