"""The grants that stand, fleet by fleet, a page at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from guardtier.action import NAME
from guardtier.errors import InvalidAnswer, UnknownFleet
from guardtier.look import Me
from guardtier.policy.grant_requests import GrantInUse
from guardtier.policy.grants import Pattern, Scope
from guardtier.risk import SecurityRisk
from guardtier_workers.console.console import Console
from guardtier_workers.console.query import Query
from guardtier_workers.console.rules.standing import fleets_of

FLEETS = 50  #: that one page looks at; most have no grant
ENOUGH = 100  #: grants; a page ends with the fleet in which it has them, so it has fewer than twice as many


class GrantsQuery(Query):
    """``after``: what the page before gave."""

    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    after: Annotated[str, StringConstraints(max_length=200)] = ""


class GrantView(BaseModel):
    """A grant as it stands. ``words``: all that it covers. Times are milliseconds since 1970."""

    id: str
    fleet: str
    words: str
    pattern: Pattern
    scope: Scope
    tool: str
    agent: str
    conversation: str | None
    risk: SecurityRisk
    by: list[str]
    action: str
    given_at: int
    expires_at: int
    uses: int
    max_uses: int
    may_revoke: bool = Field(description="whether whoever asked may")


class GrantsView(BaseModel):
    """``after``: where the next page begins, null where there is none. Also an empty page may have one."""

    grants: list[GrantView]
    after: str | None


async def grants_page(console: Console, me: Me, asked: GrantsQuery) -> GrantsView:
    """Those of the fleets that the visitor sees. Raises UnknownFleet, InvalidAnswer."""
    fleets = await fleets_of(console, me)
    if asked.fleet is not None:
        if asked.fleet not in fleets:
            raise UnknownFleet(f"there is no fleet {asked.fleet} among yours", field="fleet")
        fleets = [asked.fleet]
    begins, after = _place(asked.after)
    ahead = [fleet for fleet in fleets if fleet >= begins]
    found: list[GrantView] = []
    for number, fleet in enumerate(ahead):
        if number == FLEETS or len(found) >= ENOUGH:
            return GrantsView(grants=found, after=f"{fleet}/")
        page = await console.tier.grants_page(fleet, after if fleet == begins else "")
        found += [_view(one, me) for one in page.grants]
        if page.after is not None:
            return GrantsView(grants=found, after=f"{fleet}/{page.after}")
    return GrantsView(grants=found, after=None)


def _place(after: str) -> tuple[str, str]:
    fleet, slash, rest = after.partition("/")
    if after and not slash:
        raise InvalidAnswer("after must be what the page before gave", field="after")
    return fleet, rest


def _view(one: GrantInUse, me: Me) -> GrantView:
    grant = one.grant
    return GrantView(
        id=grant.id,
        fleet=grant.fleet,
        words=grant.words,
        pattern=grant.pattern,
        scope=grant.scope,
        tool=grant.tool,
        agent=grant.agent,
        conversation=grant.conversation,
        risk=grant.risk,
        by=list(grant.by),
        action=grant.action,
        given_at=grant.given_at,
        expires_at=grant.expires_at,
        uses=one.uses,
        max_uses=grant.max_uses,
        may_revoke=me.can("answer", grant.fleet),
    )
