"""Counting: what the votes on a parked action come to, in the words of a verdict and of the audit line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from guardtier.answer import MAX_REASON, Choice
from guardtier.policy.tally import Vote, principals
from guardtier.policy.terms import Terms
from guardtier.store.records import Record
from guardtier.verdict import Verdict
from guardtier_workers.clock import now_ms


def verdict_by(votes: Sequence[Vote], choice: Choice, record: Record, **more: Any) -> Verdict:
    """The verdict that everybody who chose this has come to, with the reasons that they gave.

    ``more``: fields of the verdict that are others than the record's (of an edited action).
    """
    fields: dict[str, Any] = {
        "id": record.id,
        "outcome": choice.outcome,
        "digest": record.digest,
        "risk": record.assessment.risk,
        "findings": record.assessment.findings,
        "policy": record.policy or "",
        "decided_at": now_ms(),
    }
    fields |= record.edited(allowed=choice is Choice.APPROVE) | more
    won = principals(votes, choice, fields["digest"])
    given = dict.fromkeys(vote.reason for vote in votes if vote.principal in won and vote.reason.strip())
    return Verdict(**fields, decided_by=won, reason="\n".join(given)[:MAX_REASON])


def details_of(vote: Vote, votes: Sequence[Vote], terms: Terms, **more: Any) -> bytes:
    """What the audit line of a vote says besides: who in person, what, and what it takes (JSON)."""
    told: dict[str, Any] = {
        "principal": vote.principal,
        "choice": vote.choice.value,
        "approved_by": principals(votes, Choice.APPROVE, vote.digest),
        "rejected_by": principals(votes, Choice.REJECT, vote.digest),
        "need": {"approve": terms.approve, "reject": terms.reject},
    }
    return orjson.dumps(told | {name: value for name, value in more.items() if value is not None})
