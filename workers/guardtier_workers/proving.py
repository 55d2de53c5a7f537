"""Proving: that a request is its approver's, of now, and for this partition."""

from __future__ import annotations

from typing import Final

from guardtier.action import partition_of
from guardtier.errors import InvalidAnswer, NotAuthorized
from guardtier.policy.request import SignedRequest
from guardtier_workers.approvers import Approver, Approvers
from guardtier_workers.clock import now_ms

REQUEST_MINUTES: Final = 10  #: a request's time may be so far from this worker's clock, either way


def asked_by(request: SignedRequest, proof: str, approvers: Approvers, partition: int) -> Approver:
    """Who asks. Raises NotAuthorized and InvalidAnswer; what they may is the caller's to check."""
    approver = approvers.proved(request, proof)
    if partition_of(request.id) != partition:
        raise InvalidAnswer(f"id must end with .{partition}, the partition of this stream", field="id")
    if abs(request.at - now_ms()) > REQUEST_MINUTES * 60_000:
        raise NotAuthorized(
            f"the request's time is more than {REQUEST_MINUTES} minutes off: check the clocks",
            field="at",
            limit=REQUEST_MINUTES,
        )
    return approver
