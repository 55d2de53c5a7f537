"""Votes: the answers that a parked action has so far, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter

from guardtier.answer import Choice
from guardtier.policy.terms import Terms


class Vote(BaseModel):
    """One approver's answer as it counts. ``principal``: the person, who counts once whatever their names.

    ``digest`` is that of the action which they saw, ``at`` their own clock (ms since 1970), ``proof`` the
    HMAC of their answer, and behind a point the mark that a policy worker has taken it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    principal: str
    approver: str
    choice: Choice
    digest: str
    at: int
    proof: str
    reason: str = ""


class Counted(BaseModel):
    """What the votes on a parked action come to while more are needed, as its approvers are told.

    ``approved_by`` and ``rejected_by`` are principals; it takes ``approve`` or ``reject`` of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    digest: str
    approved_by: tuple[str, ...] = ()
    approve: int
    rejected_by: tuple[str, ...] = ()
    reject: int

    @property
    def allowed(self) -> bool:
        """Never: what is counted is not decided."""
        return False

    @property
    def in_words(self) -> str:
        """``1 of 2 approvals: alice``, and the rejections where there are any or it takes several."""
        said = _so_many(self.approved_by, self.approve, "approval")
        if self.rejected_by or self.reject > 1:
            said += "; " + _so_many(self.rejected_by, self.reject, "rejection")
        return said


def _so_many(names: Sequence[str], needed: int, what: str) -> str:
    who = f": {', '.join(names)}" if names else ""
    return f"{len(names)} of {needed} {what}{'' if needed == 1 else 's'}{who}"


_VOTES: TypeAdapter[tuple[Vote, ...]] = TypeAdapter(tuple[Vote, ...])


def read_votes(raw: bytes) -> tuple[Vote, ...]:
    """The votes in a record. Raises ValueError where they can't be read: nothing is approved then."""
    return _VOTES.validate_json(raw) if raw else ()


def votes_to_json(votes: Sequence[Vote]) -> bytes:
    return _VOTES.dump_json(tuple(votes), exclude_defaults=True)


def with_vote(votes: Sequence[Vote], vote: Vote) -> tuple[Vote, ...]:
    """The votes with this one. A principal's later answer takes the place of the earlier one."""
    return (*(one for one in votes if one.principal != vote.principal), vote)


def tally(terms: Terms, votes: Sequence[Vote], digest: str) -> Choice | None:
    """What the votes on the action of this digest come to; None while more are needed.

    A rejection comes first: where both have their number, it is rejected.
    """
    if len(principals(votes, Choice.REJECT, digest)) >= terms.reject:
        return Choice.REJECT
    if len(principals(votes, Choice.APPROVE, digest)) >= terms.approve:
        return Choice.APPROVE
    return None


def principals(votes: Sequence[Vote], choice: Choice, digest: str) -> tuple[str, ...]:
    """Who chose this for the action of this digest, each once, in the order of their answers."""
    counted = {vote.principal: vote.choice for vote in votes if vote.digest == digest}
    return tuple(name for name, chosen in counted.items() if chosen is choice)


def count(action_id: str, terms: Terms, votes: Sequence[Vote], digest: str) -> Counted:
    """How far the votes are."""
    return Counted(
        id=action_id,
        digest=digest,
        approved_by=principals(votes, Choice.APPROVE, digest),
        approve=terms.approve,
        rejected_by=principals(votes, Choice.REJECT, digest),
        reject=terms.reject,
    )
