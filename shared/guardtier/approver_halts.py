"""HaltMethods: how approvers halt what is new, see what is halted, and resume it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex
from time import time
from typing import Protocol, TypeVar

from pydantic import ValidationError

from guardtier.action import invalid_action
from guardtier.errors import ConfigError, HaltNotEverywhere
from guardtier.policy.halts import (
    Halt,
    HaltReport,
    HaltRequest,
    ResumeRequest,
    Scope,
    Then,
    read_halt,
)
from guardtier.policy.request import SignedRequest
from guardtier.replies import Replies, Wait
from guardtier.signer import Signer
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import Keys

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartitionHalt:
    """A halt that stands in one partition."""

    partition: int
    scope: Scope
    halt: Halt


class _Client(Protocol):
    """What these methods need of the client that they are part of."""

    _partitions: int
    _client_id: str
    _redis: AnyRedis
    _replies: Replies

    def _credentials(self) -> Signer: ...

    def _within(self, timeout: float, look_at: str = "") -> AbstractAsyncContextManager[None]: ...

    def _wait(self, name: str, partition: int, fields: Mapping[str, str | bytes]) -> Wait: ...


class HaltMethods:
    """The part of ApproverClient that halts and resumes."""

    async def halt(
        self: _Client,
        fleet: str,
        *,
        agent: str | None = None,
        conversation: str | None = None,
        reason: str,
        then: Then = "park",
        reject_parked: bool = False,
        timeout: float = 60.0,
    ) -> list[HaltReport]:
        """Park, or reject, everything new of a fleet, an agent or a conversation from now on.

        No approval of it is redeemed while it is halted. ``reject_parked``: what waits for a person is
        rejected too; else whoever waits is told. A halt takes the place of one that stands for the same.
        The reports, one a partition, say what it could not stop. Raises ConfigError, NotAuthorized,
        UnknownFleet, GuardTimeout; HaltNotEverywhere where it failed in some partitions.
        """
        scope = _scope(fleet, agent, conversation)

        async def ask(partition: int) -> HaltReport:
            made = _made(
                HaltRequest, self, partition, scope=scope, reason=reason, then=then,
                reject_parked=reject_parked,
            )  # fmt: skip
            return HaltReport.model_validate_json(await _asked(self, made, partition, timeout))

        return await _everywhere(self, ask, f"{scope.words} is halted")

    async def resume(
        self: _Client,
        fleet: str,
        *,
        agent: str | None = None,
        conversation: str | None = None,
        reason: str = "",
        lifts: Sequence[str] | None = None,
        timeout: float = 30.0,
    ) -> list[PartitionHalt]:
        """Lift the halt of exactly this, and return it as it stood in each partition; none: nothing was
        halted by that name. Halts of wider or narrower scope stay. ``lifts`` are the digests of the halts
        that the approver saw, one a partition (:func:`digest_of_halt`); None: what stands now. Raises as
        :meth:`halt`, and WrongState where somebody has set another halt meanwhile.
        """
        scope = _scope(fleet, agent, conversation)
        if lifts is not None and len(lifts) != self._partitions:
            raise ConfigError(
                f"lifts has one digest a partition: {self._partitions}",
                field="lifts",
                limit=self._partitions,
            )

        async def ask(partition: int) -> bytes:
            if lifts is None:
                raw = await self._redis.hget(Keys(partition).halts, scope.key)  # type: ignore[misc]
                seen = digest_of_halt(raw or b"")
            else:
                seen = lifts[partition]
            made = _made(ResumeRequest, self, partition, scope=scope, reason=reason, lifts=seen)
            return await _asked(self, made, partition, timeout)

        found = await _everywhere(self, ask, f"{scope.words} goes on")
        halts = ((partition, read_halt(raw)) for partition, raw in enumerate(found))
        return [PartitionHalt(partition, scope, halt) for partition, halt in halts if halt]

    async def halts(self: _Client, fleet: str | None = None) -> list[PartitionHalt]:
        """What is halted, in every partition. No token is needed."""
        found: list[PartitionHalt] = []
        for partition in range(self._partitions):
            rows = await self._redis.hgetall(Keys(partition).halts)  # type: ignore[misc]
            for key, raw in sorted(rows.items()):
                scope, halt = scope_of(key), read_halt(raw)
                if scope is not None and halt is not None and fleet in (None, scope.fleet):
                    found.append(PartitionHalt(partition, scope, halt))
        return found


def digest_of_halt(raw: bytes) -> str:
    """What a request to resume names as the halt that it lifts; of b"" where none stands."""
    return sha256(raw).hexdigest()


def _scope(fleet: str, agent: str | None, conversation: str | None) -> Scope:
    try:
        return Scope(fleet=fleet, agent=agent, conversation=conversation)
    except ValidationError as error:
        wrong = invalid_action(error)
        field = "conversation" if wrong.field == "payload" else wrong.field
        raise ConfigError(wrong.message, field=field, limit=wrong.limit) from error


def scope_of(key: bytes) -> Scope | None:
    """What a field of the halts names; None where no action has such a name."""
    try:
        return Scope.of_key(key.decode())
    except ValueError:
        return None  # it halts nothing


_Request = TypeVar("_Request", bound=SignedRequest)


def _made(kind: type[_Request], client: _Client, partition: int, **said: object) -> _Request:
    signer = client._credentials()
    try:
        return kind.model_validate(
            {
                "id": f"{token_hex(12)}.{partition}",
                "client": client._client_id,
                "approver": signer.name,
                "at": int(time() * 1000),
                **said,
            }
        )
    except ValidationError as error:
        wrong = invalid_action(error)
        raise ConfigError(wrong.message, field=wrong.field, limit=wrong.limit) from error


async def _asked(client: _Client, request: SignedRequest, partition: int, timeout: float) -> bytes:
    signer = client._credentials()
    async with client._within(timeout, "what is halted"):
        fields = request.to_fields(signer.proof(request))
        reply = await client._replies.ask(client._wait(request.id, partition, fields), partition)
    return reply.body or b""


async def _everywhere(client: _Client, ask: Callable[[int], Awaitable[T]], done: str) -> list[T]:
    """Ask every partition; what failed somewhere is raised after all have been tried."""
    client._credentials()
    found = await asyncio.gather(*map(ask, range(client._partitions)), return_exceptions=True)
    failed = {p: error for p, error in enumerate(found) if isinstance(error, BaseException)}
    if not failed:
        return [one for one in found if not isinstance(one, BaseException)]
    partition, error = next(iter(failed.items()))
    if len(failed) == client._partitions:
        raise error
    raise HaltNotEverywhere(
        f"{done} in {client._partitions - len(failed)} of {client._partitions} partitions, repeat it: "
        f"partition {partition} says: {error}",
        limit=len(failed),
    ) from error
