"""``/policies``: what each fleet is under where no rule of the policy file matches."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from guardtier.action import NAME
from guardtier.errors import UnknownFleet
from guardtier.policy.confirmation import Policy
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.api.replacing import Digest, ResetQuery, replaced_by
from guardtier_workers.console.query import Query
from guardtier_workers.console.rules.rights import check_may_configure, check_sees
from guardtier_workers.console.rules.standing import file_that_stands, fleet_view, fleets_of
from guardtier_workers.console.rules.views import FleetStands


class FleetsQuery(Query):
    """``after``: the last fleet of the page before."""

    after: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    limit: int = Field(default=50, ge=1, le=100)


class FleetsView(BaseModel):
    """``after``: where the next page begins, null where there is none."""

    fleets: list[FleetStands]
    after: str | None


class Wanted(BaseModel):
    """The policy to put the fleet under. ``replaces``: the ``set_digest`` that was shown, null for none.
    Left out: whatever stands.
    """

    model_config = ConfigDict(extra="forbid")

    policy: Policy
    replaces: Digest | None = None


async def list_policies(call: Call) -> FleetsView:
    names = await fleets_of(call.console, call.visitor.me)
    ahead = [name for name in names if call.query.after is None or name > call.query.after]
    shown = ahead[: call.query.limit]
    file = await file_that_stands(call.console)
    return FleetsView(
        fleets=[await fleet_view(call.console, name, file) for name in shown],
        after=shown[-1] if len(ahead) > len(shown) else None,
    )


async def one_policy(call: Call) -> FleetStands:
    fleet = call.path("fleet")
    if fleet not in await fleets_of(call.console, call.visitor.me):
        raise UnknownFleet(f"there is no fleet {fleet} among yours", field="fleet")
    return await fleet_view(call.console, fleet, await file_that_stands(call.console))


async def set_policy(call: Call) -> FleetStands:
    fleet = _changeable(call)
    await call.tier.set_policy(fleet, call.body.policy, replaces=replaced_by(call.body))
    return await fleet_view(call.console, fleet, await file_that_stands(call.console))


async def reset_policy(call: Call) -> FleetStands:
    fleet = _changeable(call)
    await call.tier.reset_policy(fleet, replaces=call.query.replaced)
    return await one_policy(call)


def _changeable(call: Call) -> str:
    fleet = call.path("fleet")
    check_sees(call.visitor.me, fleet)
    check_may_configure(call.visitor.me, fleet)
    return fleet


ENDPOINTS = (
    Endpoint(
        "GET",
        "/policies",
        list_policies,
        FleetsView,
        "What each fleet is under",
        query=FleetsQuery,
        tag="policy",
    ),
    Endpoint("GET", "/policies/{fleet}", one_policy, FleetStands, "What a fleet is under", tag="policy"),
    Endpoint(
        "PUT",
        "/policies/{fleet}",
        set_policy,
        FleetStands,
        "Put a fleet under a policy, from its next action on",
        body=Wanted,
        tag="policy",
    ),
    Endpoint(
        "DELETE",
        "/policies/{fleet}",
        reset_policy,
        FleetStands,
        "Put a fleet back under the file's or the settings' policy",
        query=ResetQuery,
        tag="policy",
    ),
)
