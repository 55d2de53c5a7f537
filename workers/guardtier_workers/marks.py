"""Marks: what approvers said of an action is kept in its record with an HMAC by the key that proved it.

An analyzer worker's credential may write records, and a steward's; the approvers file is read by policy
workers alone. So a vote or an edit that none of them has taken counts for nothing, nor does one by a token
that was replaced since.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from pydantic import BaseModel

from guardtier.canonical import canonical
from guardtier.errors import NotAuthorized
from guardtier.policy.edit import Edit
from guardtier.policy.tally import Vote
from guardtier_workers.approvers import Approvers

_VOTE, _EDIT = b"guardtier.vote.1\0", b"guardtier.edit.1\0"
_BEHIND = "."  #: between the proof of an answer and the mark of its vote; both are hexadecimal


class Marks:
    """Looks for keys in the approvers file, at the moment of asking."""

    def __init__(self, approvers: Approvers) -> None:
        self._approvers = approvers

    def voted(self, action_id: str, vote: Vote) -> Vote:
        """The vote as it is kept. Raises NotAuthorized where its approver can't sign so any more."""
        mark = self._mark(_VOTE, action_id, vote, vote.approver, vote.proof)
        return vote.model_copy(update={"proof": f"{vote.proof}{_BEHIND}{mark}"})

    def is_vote(self, action_id: str, vote: Vote) -> bool:
        """Whether a policy worker has kept it so, of this action."""
        proof, _, mark = vote.proof.rpartition(_BEHIND)
        said = vote.model_copy(update={"proof": proof})
        return self._is_mark(mark, _VOTE, action_id, said, vote.approver, proof)

    def edited(self, action_id: str, edit: Edit) -> Edit:
        """The edit as it is kept. Raises as :meth:`voted`."""
        return edit.model_copy(
            update={"mark": self._mark(_EDIT, action_id, edit, edit.approver, edit.proof)}
        )

    def is_edit(self, action_id: str, edit: Edit) -> bool:
        """The same as :meth:`is_vote`."""
        said = edit.model_copy(update={"mark": ""})
        return self._is_mark(edit.mark, _EDIT, action_id, said, edit.approver, edit.proof)

    def _is_mark(
        self, mark: str, purpose: bytes, action_id: str, said: BaseModel, approver: str, proof: str
    ) -> bool:
        try:
            right = self._mark(purpose, action_id, said, approver, proof)
        except NotAuthorized:
            return False
        return hmac.compare_digest(right.encode(), mark.encode())

    def _mark(self, purpose: bytes, action_id: str, said: BaseModel, approver: str, proof: str) -> str:
        known = self._approvers.named(approver)
        signer = self._approvers.signed_by(known, proof) if known is not None else None
        if signer is None:
            raise NotAuthorized(f"{approver} can't sign any more", field="approver")
        body = canonical([action_id, said.model_dump(mode="json")])
        return hmac.new(bytes.fromhex(signer.key), purpose + body, sha256).hexdigest()
