"""``/grants``: what is remembered of approvals, and revoking it."""

from __future__ import annotations

from pydantic import BaseModel

from guardtier.errors import UnknownGrant
from guardtier.policy.grants import GRANT_ID
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.rules.granted import GrantsQuery, GrantsView, grants_page


class Revoked(BaseModel):
    """It releases nothing from now on; what it has released is not called back."""

    grant: str
    fleet: str
    revoked: bool = True


async def list_grants(call: Call) -> GrantsView:
    return await grants_page(call.console, call.visitor.me, call.query)


async def revoke_grant(call: Call) -> Revoked:
    fleet, grant = call.path("fleet"), call.path("grant")
    if not call.visitor.me.sees(fleet):
        raise UnknownGrant(f"no grant {grant} in fleet {fleet}: none is kept", field="grant")
    await call.tier.revoke_grant(fleet, grant)
    return Revoked(grant=grant, fleet=fleet)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/grants",
        list_grants,
        GrantsView,
        "The remembered approvals that stand, fleet by fleet",
        query=GrantsQuery,
        tag="grants",
    ),
    Endpoint(
        "DELETE",
        "/grants/{fleet}/{grant}",
        revoke_grant,
        Revoked,
        "End a remembered approval",
        tag="grants",
        parameters={"grant": GRANT_ID},
    ),
)
