"""Votes: the answers that a parked action has so far, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter

from guardtier.answer import Choice
from guardtier.policy.terms import Terms


class Vote(BaseModel):
    """One approver's answer as it counts. ``principal``: the person, who counts once whatever their names.

    ``digest`` is that of the action which they saw, ``at`` their own clock (ms since 1970), ``proof`` the
    HMAC of their answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    principal: str
    approver: str
    choice: Choice
    digest: str
    at: int
    proof: str
    reason: str = ""


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
    counted = {vote.principal: vote.choice for vote in votes if vote.digest == digest}
    choices = list(counted.values())
    if choices.count(Choice.REJECT) >= terms.reject:
        return Choice.REJECT
    if choices.count(Choice.APPROVE) >= terms.approve:
        return Choice.APPROVE
    return None
