"""ApproverAnswers: an approver approves and rejects, one action or many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import time

from guardtier.action import no_full_id, partition_of
from guardtier.answer import Answer, Choice
from guardtier.approver_base import ApproverBase
from guardtier.errors import GuardtierError
from guardtier.policy.grants import Remember
from guardtier.policy.tally import Counted
from guardtier.verdict import Verdict

AT_ONCE = 64  #: answers under way at the same time


@dataclass(frozen=True, slots=True)
class Draft:
    """What an approver says of one action, before it is signed.

    ``digest`` is that of the action which was looked at; None: whatever is parked under the id. ``shown``
    is ``Record.shown`` of it: what stands there in place of secrets is bound by that alone.
    ``retry``: seconds for which a rejected action is refused at once when it comes again, 0 for none;
    None: as the policy says. ``remember``: what is to be remembered of an approval.
    """

    id: str
    choice: Choice
    digest: str | None = None
    reason: str = ""
    retry: int | None = None
    remember: Remember | None = None
    shown: str | None = None


class ApproverAnswers(ApproverBase):
    """The part of :class:`ApproverClient` that answers."""

    async def approve(
        self,
        action_id: str,
        *,
        digest: str | None = None,
        shown: str | None = None,
        reason: str = "",
        remember: Remember | None = None,
        timeout: float = 30.0,
    ) -> Verdict | Counted:
        """Let the agent run it, once. ``digest`` and ``shown`` are those of the record that you looked at.

        ``remember``: release what is like it from now on, where this answer decides; the grant's name is
        then :func:`~guardtier.policy.grants.grant_id` of the action.

        Returns the verdict as it was recorded; Counted where more people have to approve. Raises
        NotAuthorized, WrongState (somebody was quicker, or the deadline passed), DigestMismatch,
        InvalidAnswer (the policy wants a reason, or it can't be remembered so), UnknownAction,
        GuardTimeout.
        """
        draft = Draft(action_id, Choice.APPROVE, digest, reason, remember=remember, shown=shown)
        return await self.answer(draft, timeout=timeout)

    async def reject(
        self,
        action_id: str,
        *,
        digest: str | None = None,
        shown: str | None = None,
        reason: str,
        retry: int | None = None,
        timeout: float = 30.0,
    ) -> Verdict | Counted:
        """Forbid it, and what is identical to it for ``retry`` seconds (None: as the policy says).

        The reason reaches the agent's model. Returns and raises as :meth:`approve`.
        """
        draft = Draft(action_id, Choice.REJECT, digest, reason, retry, shown=shown)
        return await self.answer(draft, timeout=timeout)

    async def answer_many(
        self, drafts: Iterable[Draft], *, timeout: float = 30.0
    ) -> list[Verdict | Counted | GuardtierError]:
        """Answer many actions, each by itself: what came of each, or its error, in their order.

        ``timeout`` (seconds) is for each of them. Raises ConfigError without a token.
        """
        self._credentials()
        room = asyncio.Semaphore(AT_ONCE)

        async def one(draft: Draft) -> Verdict | Counted | GuardtierError:
            async with room:
                try:
                    return await self.answer(draft, timeout=timeout)
                except GuardtierError as error:
                    return error

        made = [asyncio.create_task(one(draft)) for draft in drafts]
        try:
            return await asyncio.gather(*made)
        finally:  # of what failed for all, nothing goes on behind the caller's back
            for task in made:
                task.cancel()
            await asyncio.gather(*made, return_exceptions=True)

    async def answer(self, draft: Draft, *, timeout: float = 30.0) -> Verdict | Counted:
        """Sign and send one answer. Returns and raises as :meth:`approve`."""
        signer = self._credentials()
        partition = partition_of(draft.id)
        if partition is None:
            raise no_full_id(draft.id)
        async with self._within(timeout, "the action again"):
            if draft.digest is None:
                record = await self.get(draft.id)
                draft = replace(draft, digest=record.digest, shown=draft.shown or record.shown)
            said = {
                "id": draft.id,
                "client": self._client_id,
                "approver": signer.name,
                "choice": draft.choice,
                "digest": draft.digest,
                "shown": draft.shown,
                "reason": draft.reason,
                "at": int(time() * 1000),
                "retry": draft.retry,
                "grant": draft.remember,
            }
            answer = Answer.checked(said)
            fields = answer.to_fields(signer.proof(answer))
            reply = await self._replies.ask(self._wait(draft.id, partition, fields), partition)
        if reply.verdict is not None:
            return reply.verdict
        return Counted.model_validate_json(reply.body or b"")
