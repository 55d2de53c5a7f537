"""ApproverEdits: an approver changes a parked action's arguments, and approves what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from time import time

from pydantic import JsonValue, ValidationError

from guardtier.action import invalid_action, no_full_id, partition_of
from guardtier.approver_base import ApproverBase
from guardtier.policy.edit import EditRequest, Revised
from guardtier.verdict import Verdict


class ApproverEdits(ApproverBase):
    """The part of :class:`ApproverClient` that edits."""

    async def edit(
        self,
        action_id: str,
        arguments: Mapping[str, JsonValue],
        *,
        digest: str | None = None,
        reason: str = "",
        timeout: float = 60.0,
    ) -> Verdict | Revised:
        """Let the agent run it once with these arguments, all of them, instead of its own.

        The tier rates the edited action and asks the policy about it. Returns the verdict; Revised where
        more people have to approve it, or where it is riskier than what was parked: then everybody has
        to look at it again. Raises EditRefused (the policy, or the agent, takes no such edit),
        InvalidAction (the arguments make no action), and as :meth:`approve`.
        """
        signer = self._credentials()
        partition = partition_of(action_id)
        if partition is None:
            raise no_full_id(action_id)
        async with self._within(timeout, "the action again"):
            request = _request(
                id=action_id,
                client=self._client_id,
                approver=signer.name,
                digest=digest or (await self.get(action_id)).digest,
                arguments=dict(arguments) if isinstance(arguments, Mapping) else arguments,
                reason=reason,
                at=int(time() * 1000),
            )
            fields = request.to_fields(signer.proof(request))
            reply = await self._replies.ask(self._wait(action_id, partition, fields), partition)
        if reply.verdict is not None:
            return reply.verdict
        return Revised.model_validate_json(reply.body or b"")


def _request(**fields: object) -> EditRequest:
    try:
        return EditRequest.model_validate(fields)
    except ValidationError as error:
        raise invalid_action(error) from error
