"""ApproverPolicies: how approvers set the policies at run time, in every partition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from hashlib import sha256
from secrets import token_hex
from time import time
from typing import TypeVar

from guardtier.action import is_name
from guardtier.approver_base import ApproverBase
from guardtier.errors import ConfigError, PolicyNotEverywhere, WrongState
from guardtier.policy.confirmation import Policy
from guardtier.policy.standing import (
    EVERY_FLEET,
    FileRequest,
    PolicyRequest,
    StandingFile,
    StandingPolicy,
    digest_of_file,
    digest_of_policy,
)

T = TypeVar("T")


class Whatever(Enum):
    """What may be replaced by a request that does not say what it has seen."""

    STANDS = "stands"


@dataclass(frozen=True, slots=True)
class PartitionPolicy:
    """What a fleet is under in one partition, as it was set at run time.

    No ``standing``: nothing was set, the policy file and the settings count; where it is not
    ``readable``, something was, and every action is parked until it is set anew. ``changed`` by the call
    that returned this.
    """

    partition: int
    standing: StandingPolicy | None = None
    readable: bool = True
    changed: bool = False

    @property
    def policy(self) -> Policy | None:
        """What was set; None where the settings' policy counts, or where it can't be read."""
        return self.standing.policy if self.standing else None

    @property
    def digest(self) -> str | None:
        """The digest of the policy that was set, whoever set it; None where none was, as :attr:`policy`."""
        return digest_of_policy(self.policy.model_dump_json().encode()) if self.policy else None


@dataclass(frozen=True, slots=True)
class PartitionFile:
    """Which policy file stands in one partition, as it was set at run time; see PartitionPolicy.

    No ``standing``, or one without a digest: the settings' file counts, if they have one.
    """

    partition: int
    standing: StandingFile | None = None
    readable: bool = True
    changed: bool = False

    @property
    def digest(self) -> str | None:
        """The digest of the text that stands; None where none was set."""
        return self.standing.digest if self.standing else None


def seen_of(parts: Sequence[PartitionFile] | Sequence[PartitionPolicy]) -> str | None:
    """What a change of these says that it replaces: the digest of what was set in every partition,
    None where nothing was. Where partitions differ, it stands for all of theirs together.
    """
    digests = [part.digest for part in parts]
    if len(set(digests)) == 1:
        return digests[0]
    return sha256("\n".join(one or "none" for one in digests).encode()).hexdigest()


class ApproverPolicies(ApproverBase):
    """The part of ApproverClient that reads and sets policies."""

    async def policy(self, fleet: str) -> list[PartitionPolicy]:
        """What was set for a fleet at run time, in each partition. No token is needed."""
        found = await self._records.policies(_fleet_name(fleet))
        return [_policy_in(partition, raw) for partition, raw in enumerate(found)]

    async def set_policy(
        self,
        fleet: str,
        policy: Policy,
        *,
        replaces: str | Whatever | None = Whatever.STANDS,
        timeout: float = 30.0,
    ) -> list[PartitionPolicy]:
        """Put a fleet under this policy, from its next action on, whatever the settings say.

        Rules of the policy file that match an action come first. Where it stands already nothing is
        sent, so it may be repeated. Raises NotAuthorized, UnknownFleet, WrongState (somebody else changed
        it meanwhile), GuardTimeout; and PolicyNotEverywhere where it was set in some partitions and
        failed in others.

        ``replaces``: what the approver has seen of it (:func:`seen_of`), None where none was set; where
        something else was set meanwhile it raises WrongState.
        """
        return await self._configure(_fleet_name(fleet), policy, replaces, timeout)

    async def reset_policy(
        self, fleet: str, *, replaces: str | Whatever | None = Whatever.STANDS, timeout: float = 30.0
    ) -> list[PartitionPolicy]:
        """Back to the settings' policy. Raises as :meth:`set_policy`."""
        return await self._configure(_fleet_name(fleet), None, replaces, timeout)

    async def policy_file(self) -> list[PartitionFile]:
        """Which policy file was set at run time, in each partition. No token is needed."""
        found = await self._records.policies(EVERY_FLEET)
        return [_file_in(partition, raw) for partition, raw in enumerate(found)]

    async def policy_text(self, file: PartitionFile) -> str | None:
        """The text of a policy file that stands; None where none was set, or where it is gone."""
        if file.digest is None:
            return None
        raw = await self._records.policy_text(file.partition, file.digest)
        return raw.decode(errors="replace") if raw is not None else None

    async def set_policy_file(
        self, text: str, *, replaces: str | Whatever | None = Whatever.STANDS, timeout: float = 30.0
    ) -> list[PartitionFile]:
        """Let this policy file (TOML, docs/policy.md) stand for all fleets, from their next action on.

        The tier refuses one that is wrong (ConfigError): what can't be read, a test in it that fails,
        a channel that the settings don't name, more approvals than there are people. Raises as
        :meth:`set_policy` otherwise; the right ``configure`` for every fleet is needed.

        ``replaces``: what the approver has seen standing (:func:`seen_of`), None where none was set; where
        something else stands meanwhile it raises WrongState.
        """
        try:
            raw = text.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"the policy file is no UTF-8: {error}", field="file") from error
        return await self._configure_file(raw, digest_of_file(raw), replaces, timeout)

    async def reset_policy_file(
        self, *, replaces: str | Whatever | None = Whatever.STANDS, timeout: float = 30.0
    ) -> list[PartitionFile]:
        """Back to the settings' policy file, or to none. Raises as :meth:`set_policy_file`."""
        return await self._configure_file(b"", None, replaces, timeout)

    async def _configure(
        self, fleet: str, policy: Policy | None, replaces: str | Whatever | None, timeout: float
    ) -> list[PartitionPolicy]:
        signer = self._credentials()
        async with self._within(timeout, "the policy again"):
            seen = await self._seen(replaces, partial(self.policy, fleet))

        async def one(partition: int) -> PartitionPolicy:
            async with self._within(timeout, "the policy again"):
                raw = await self._records.policy(partition, fleet)
                stands = _policy_in(partition, raw)
                if stands.readable and stands.policy == policy:
                    return stands
                _check_seen(f"policy of {fleet}", stands, seen[partition])
                request = PolicyRequest(
                    id=f"{token_hex(12)}.{partition}",
                    client=self._client_id,
                    approver=signer.name,
                    fleet=fleet,
                    policy=policy,
                    replaces=digest_of_policy(raw),
                    at=int(time() * 1000),
                )
                fields = request.to_fields(signer.proof(request))
                reply = await self._replies.ask(self._wait(request.id, partition, fields), partition)
            return PartitionPolicy(partition, StandingPolicy.read(reply.body or b""), changed=True)

        return await everywhere(self._partitions, one)

    async def _configure_file(
        self, text: bytes, digest: str | None, replaces: str | Whatever | None, timeout: float
    ) -> list[PartitionFile]:
        signer = self._credentials()
        async with self._within(timeout, "the policy file again"):
            seen = await self._seen(replaces, self.policy_file)

        async def one(partition: int) -> PartitionFile:
            async with self._within(timeout, "the policy file again"):
                raw = await self._records.policy(partition, EVERY_FLEET)
                stands = _file_in(partition, raw)
                if stands.readable and stands.digest == digest and await self._is_kept(stands):
                    return stands
                _check_seen("policy file", stands, seen[partition])
                request = FileRequest(
                    id=f"{token_hex(12)}.{partition}",
                    client=self._client_id,
                    approver=signer.name,
                    digest=digest,
                    replaces=digest_of_policy(raw),
                    at=int(time() * 1000),
                )
                fields = request.with_text(signer.proof(request), text)
                reply = await self._replies.ask(self._wait(request.id, partition, fields), partition)
            return PartitionFile(partition, StandingFile.read(reply.body or b""), changed=True)

        return await everywhere(self._partitions, one)

    async def _seen(
        self,
        replaces: str | Whatever | None,
        stands: Callable[[], Awaitable[list[PartitionFile]] | Awaitable[list[PartitionPolicy]]],
    ) -> Sequence[str | Whatever | None]:
        """What may be replaced in each partition."""
        if isinstance(replaces, str):
            parts = await stands()
            if replaces == seen_of(parts):
                return [part.digest for part in parts]
        return [replaces] * self._partitions

    async def _is_kept(self, file: PartitionFile) -> bool:
        """Whether the text that a pointer names is there. Where it is not, all is parked until it is."""
        if file.digest is None:
            return True
        raw = await self._records.policy_text(file.partition, file.digest)
        return raw is not None and digest_of_policy(raw) == file.digest


async def everywhere(partitions: int, one: Callable[[int], Awaitable[T]]) -> list[T]:
    """Do it in every partition; what failed somewhere is raised after all have been tried."""
    made = await asyncio.gather(*(one(p) for p in range(partitions)), return_exceptions=True)
    done = [found for found in made if not isinstance(found, BaseException)]
    failed = {p: found for p, found in enumerate(made) if isinstance(found, BaseException)}
    if not failed:
        return done
    partition, error = next(iter(failed.items()))
    if not done:
        raise error
    raise PolicyNotEverywhere(
        f"set in {len(done)} of {partitions} partitions, repeat it: partition {partition} says: {error}",
        limit=len(failed),
    ) from error


def _check_seen(what: str, stands: PartitionFile | PartitionPolicy, seen: str | Whatever | None) -> None:
    if seen is not Whatever.STANDS and stands.digest != seen:
        who = f"{stands.standing.by} has set {stands.standing.label}" if stands.standing else "it was reset"
        raise WrongState(
            f"another {what} stands by now ({who}): look at it before you replace it", field="replaces"
        )


def _fleet_name(fleet: str) -> str:
    if not is_name(fleet):
        raise ConfigError("fleet must be 1 to 64 letters, digits, _ or -", field="fleet")
    return fleet


def _policy_in(partition: int, raw: bytes) -> PartitionPolicy:
    try:
        return PartitionPolicy(partition, StandingPolicy.read(raw))
    except ValueError:
        return PartitionPolicy(partition, readable=False)


def _file_in(partition: int, raw: bytes) -> PartitionFile:
    try:
        return PartitionFile(partition, StandingFile.read(raw))
    except ValueError:
        return PartitionFile(partition, readable=False)
