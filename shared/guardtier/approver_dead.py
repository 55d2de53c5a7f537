"""ApproverDead: an approver sees what no worker could handle, and has it tried again."""

from __future__ import annotations

from collections.abc import Collection
from secrets import token_hex
from time import time

from pydantic import ValidationError

from guardtier.action import invalid_action
from guardtier.approver_base import ApproverBase
from guardtier.errors import ConfigError, UnknownDeadLetter
from guardtier.policy.retry import RetryRequest
from guardtier.store.dead import READ, DeadLetters, DeadPage, read_name


class ApproverDead(ApproverBase):
    """The part of :class:`ApproverClient` that is about dead letters."""

    async def dead_letters(
        self, *, fleets: Collection[str] | None = None, after: str = "", limit: int = READ
    ) -> DeadPage:
        """A page of them, the newest first, of these fleets (None: of every one, and of no known one).

        They are read from Redis, with a credential that may: no token is needed. ``limit``: 1 to 200.
        """
        if not 1 <= limit <= 200:
            raise ConfigError("a page has 1 to 200 dead letters", field="limit", limit=200)
        letters = DeadLetters(self._redis, self._partitions)
        return await letters.page(
            lambda one: fleets is None or one.fleet in fleets, after=after, limit=limit
        )

    async def retry_dead(self, letter: str, *, reason: str = "", timeout: float = 30.0) -> str:
        """Have a dead letter tried again; returns the entry by which it is work once more.

        Raises WrongState for what can't be (it says why), UnknownDeadLetter, NotAuthorized, GuardTimeout.
        """
        signer = self._credentials()
        partition, entry = read_name(letter)
        if partition >= self._partitions:
            raise UnknownDeadLetter(f"no dead letter {letter} in your fleets", field="letter")
        try:
            request = RetryRequest(
                id=f"{token_hex(12)}.{partition}",
                client=self._client_id,
                approver=signer.name,
                at=int(time() * 1000),
                letter=entry,
                reason=reason,
            )
        except ValidationError as error:
            wrong = invalid_action(error)
            raise ConfigError(wrong.message, field=wrong.field, limit=wrong.limit) from error
        async with self._within(timeout, "the dead letters again"):
            fields = request.to_fields(signer.proof(request))
            reply = await self._replies.ask(self._wait(request.id, partition, fields), partition)
        return (reply.body or b"").decode()
