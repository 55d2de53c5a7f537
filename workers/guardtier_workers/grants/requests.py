"""What approvers ask about grants: who may see and revoke them, and what takes effect."""

from __future__ import annotations

from guardtier.errors import NotAuthorized, UnknownGrant
from guardtier.policy.grant_requests import GrantsRequest, RevokeRequest
from guardtier.store.delivery import Delivery
from guardtier_workers.approvers import Approvers
from guardtier_workers.grants.remembered import Remembered
from guardtier_workers.lane import Lane
from guardtier_workers.proving import asked_by

OPERATIONS = (b"grants", b"revoke")


async def serve(lane: Lane, delivery: Delivery, approvers: Approvers, remembered: Remembered) -> None:
    """Answer a request. Raises what the approver is to be told."""
    if delivery.fields.get(b"op") == b"grants":
        await _show(lane, delivery, approvers, remembered)
    else:
        await _revoke(lane, delivery, approvers, remembered)


async def _show(lane: Lane, delivery: Delivery, approvers: Approvers, remembered: Remembered) -> None:
    request, proof = GrantsRequest.from_fields(delivery.fields)
    approver = asked_by(request, proof, approvers, delivery.partition)
    if not approver.may_see(request.fleet):
        raise NotAuthorized(f"{approver.name} has no rights in fleet {request.fleet}", field="fleet")
    page = await remembered.page(request.fleet, request.after)
    await lane.ledger.shown(delivery, told=request.client, body=page.model_dump_json().encode())


async def _revoke(lane: Lane, delivery: Delivery, approvers: Approvers, remembered: Remembered) -> None:
    request, proof = RevokeRequest.from_fields(delivery.fields)
    approver = asked_by(request, proof, approvers, delivery.partition)
    if not approver.may_answer(request.fleet):
        raise NotAuthorized(f"{approver.name} may not answer for fleet {request.fleet}", field="fleet")
    done = await remembered.revoke(request.fleet, request.grant, request.id)
    if done != "revoked":
        why = "it is revoked already" if done == "gone" else "none is kept: guardtier grants list"
        raise UnknownGrant(f"no grant {request.grant} in fleet {request.fleet}: {why}", field="grant")
    await lane.ledger.revoked(
        delivery, fleet=request.fleet, grant=request.grant, approver=request.approver, told=request.client
    )
