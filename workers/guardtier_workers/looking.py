"""An approver looks at what is parked: their own fleets, a bounded page at a time."""

from __future__ import annotations

from typing import Any

import orjson

from guardtier.errors import InvalidAction, NotAuthorized, UnknownAction, UnreadableRecord
from guardtier.look import LookRequest, Me, shown
from guardtier.store.delivery import Delivery
from guardtier.store.parked import Wanted, parked_count, parked_page
from guardtier.store.records import Records
from guardtier_workers.approvers import Approver, Approvers, Right
from guardtier_workers.lane import Lane
from guardtier_workers.proving import asked_by


async def look(lane: Lane, delivery: Delivery, approvers: Approvers, records: Records) -> None:
    """Show what was asked for. Raises what the approver is to be told."""
    request, proof = LookRequest.from_fields(delivery.fields)
    approver = asked_by(request, proof, approvers, delivery.partition)
    if request.what == "action":
        body = await _one(request, approver, records)
    elif request.what == "count":
        body = await _count(lane, request, approver)
    elif request.what == "me":
        body = {"me": _who(approver)}
    elif request.what == "whose":
        body = {"me": _whose(request.subject, approver, approvers)}
    else:
        body = await _page(lane, request, approver)
    await lane.ledger.shown(delivery, told=request.client, body=orjson.dumps(body))


async def _one(request: LookRequest, approver: Approver, records: Records) -> dict[str, Any]:
    """One record. What is in another fleet is told as what is not there."""
    unknown = UnknownAction(
        f"no action {request.action} in your fleets: never published, or past its retention", field="id"
    )
    try:
        record = await records.get(request.action or "")
    except (UnknownAction, InvalidAction):
        raise unknown from None
    except UnreadableRecord:
        if approver.sees is None:
            raise
        raise unknown from None  # whose it is can't be told
    if not approver.may_see(record.fleet):
        raise unknown
    return {"action": shown(record)}


async def _page(lane: Lane, request: LookRequest, approver: Approver) -> dict[str, Any]:
    wanted = Wanted(_fleets(request, approver), request.agent, frozenset(request.risk))
    page = await parked_page(lane.redis, lane.keys, wanted, after=request.after, limit=request.limit)
    return {"parked": [shown(record) for record in page.records], "after": page.after}


async def _count(lane: Lane, request: LookRequest, approver: Approver) -> dict[str, Any]:
    fleets = _fleets(request, approver)
    counted, after = await parked_count(lane.redis, lane.pipe, lane.keys, fleets, after=request.after)
    return {"count": counted, "after": after}


def _who(approver: Approver) -> dict[str, Any]:
    me = Me(
        name=approver.name,
        principal=approver.principal,
        fleets=tuple(sorted(approver.fleets)),
        may=tuple(sorted(approver.may)),
        roles=tuple(sorted(approver.roles)),
        agents=approver.agents,
    )
    return me.model_dump()


def _whose(subject: str | None, voucher: Approver, approvers: Approvers) -> dict[str, Any]:
    """The approver that an identity provider's subject is. Raises NotAuthorized where it is nobody."""
    if Right.VOUCH in voucher.may and subject:
        for known in approvers.all():
            if known.subject == subject and voucher.name in known.vouched_by:
                return _who(known)
    raise NotAuthorized("no approver has this subject and is vouched for by this console", field="subject")


def _fleets(request: LookRequest, approver: Approver) -> frozenset[str] | None:
    """The fleets that are shown; None: all. Raises NotAuthorized, whether the fleet exists or not."""
    if request.fleet is None:
        return approver.sees
    if not approver.may_see(request.fleet):
        raise NotAuthorized(f"{approver.name} has no rights in fleet {request.fleet}", field="fleet")
    return frozenset({request.fleet})
