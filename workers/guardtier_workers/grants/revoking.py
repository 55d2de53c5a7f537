"""An approver revokes a grant: who may, and what takes effect."""

from __future__ import annotations

from guardtier.action import partition_of
from guardtier.errors import InvalidAnswer, NotAuthorized, UnknownGrant
from guardtier.policy.revoking import RevokeRequest
from guardtier.store.delivery import Delivery
from guardtier_workers.approvers import Approvers
from guardtier_workers.clock import now_ms
from guardtier_workers.grants.remembered import Remembered
from guardtier_workers.lane import Lane

REQUEST_MINUTES = 10  #: a request's time may be so far from this worker's clock, either way


async def revoke(lane: Lane, delivery: Delivery, approvers: Approvers, remembered: Remembered) -> None:
    """Let a request take effect. Raises what the approver is to be told."""
    request, proof = RevokeRequest.from_fields(delivery.fields)
    _check_may(request, proof, approvers, delivery.partition)
    done = await remembered.revoke(request.fleet, request.grant, request.id)
    if done != "revoked":
        why = "it is revoked already" if done == "gone" else "none is kept: guardtier grants list"
        raise UnknownGrant(f"no grant {request.grant} in fleet {request.fleet}: {why}", field="grant")
    await lane.ledger.revoked(
        delivery, fleet=request.fleet, grant=request.grant, approver=request.approver, told=request.client
    )


def _check_may(request: RevokeRequest, proof: str, approvers: Approvers, partition: int) -> None:
    approver = approvers.named(request.approver)
    if approver is None or not request.is_proved_by(proof, bytes.fromhex(approver.key)):
        raise NotAuthorized("the request does not prove a known approver", field="approver")
    if partition_of(request.id) != partition:
        raise InvalidAnswer(f"id must end with .{partition}, the partition of this stream", field="id")
    if abs(request.at - now_ms()) > REQUEST_MINUTES * 60_000:
        raise NotAuthorized(
            f"the request's time is more than {REQUEST_MINUTES} minutes off: check the clocks",
            field="at",
            limit=REQUEST_MINUTES,
        )
    if not approver.may_answer(request.fleet):
        raise NotAuthorized(f"{approver.name} may not answer for fleet {request.fleet}", field="fleet")
