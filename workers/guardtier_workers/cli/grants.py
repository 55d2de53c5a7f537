"""guardtier grants: what is remembered of approvals: suggested for an action, listed, revoked."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import typer

from guardtier.approver import ApproverClient
from guardtier.errors import NotAuthorized, UnknownGrant
from guardtier.policy.grant_requests import GrantInUse
from guardtier.policy.grants import Grant
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import cell, console, emit, say, span_text, table
from guardtier_workers.cli.remember import approval_of
from guardtier_workers.cli.show import Id, looked_at
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms
from guardtier_workers.grants.drafting import suggested

Fleet = Annotated[str | None, typer.Option("--fleet", metavar="FLEET", help="Else every fleet.")]


def list_grants(
    fleet: Fleet = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the grants that stand: your fleets' with a token, else all that Redis shows."""

    async def run() -> list[GrantInUse]:
        async with tier_at(redis_url, config) as tier, tier.viewer(name, token_file) as viewer:
            fleets = [fleet] if fleet else await tier.upkeep.fleets()
            found: list[GrantInUse] = []
            for one in fleets:
                try:
                    found += await viewer.grants(one)
                except NotAuthorized:
                    if fleet is not None:
                        raise
            return found

    found = asyncio.run(run())
    if as_json:
        emit({"grants": [_body(one) for one in found]})
        return
    if not found:
        say("nothing is remembered: guardtier approve ID --remember command")
        return
    listed = table(("id", "fleet", "by", "left", "used", "what"), wraps=("what",))
    for one in found:
        grant = one.grant
        listed.add_row(
            cell(grant.id),
            cell(grant.fleet),
            cell(", ".join(grant.by)),
            cell(span_text(grant.expires_at - now_ms())),
            cell(f"{one.uses} of {grant.max_uses}"),
            cell(grant.words),
        )
    console().print(listed)
    say("guardtier grants revoke ID --fleet FLEET ends one")


def suggest(
    action_id: Id,
    name: ApproverName = None,
    token_file: TokenFile = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say what could be remembered of an action, the narrowest first."""
    record = looked_at(action_id, name, token_file, redis_url, config)
    found = suggested(approval_of(record, "you"))
    if as_json:
        emit({"suggestions": [_suggestion(grant) for grant in found]})
        return
    for grant in found:
        say(f"--remember {grant.pattern.value} --scope {grant.scope.value}: {grant.words}")
    if not found:
        say("nothing can be remembered of it: approve it alone")


def revoke(
    grant: Annotated[str, typer.Argument(metavar="ID", help="As guardtier grants list shows it.")],
    fleet: Annotated[str | None, typer.Option("--fleet", metavar="FLEET", help="Else whose it is.")] = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """End a grant: it releases nothing from now on. What it has released is not called back."""

    async def run() -> str:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            owner = fleet or await _owner(approver, grant, await tier.upkeep.fleets())
            await approver.revoke_grant(owner, grant, timeout=timeout)
            return owner

    owner = asyncio.run(run())
    if as_json:
        emit({"grant": grant, "fleet": owner, "revoked": True})
    else:
        say(f"revoked: {grant} of {owner}")


async def _owner(reader: ApproverClient, grant: str, fleets: list[str]) -> str:
    """The fleet that a grant is of. Raises UnknownGrant."""
    for fleet in fleets:
        with suppress(NotAuthorized):
            if any(one.grant.id == grant for one in await reader.grants(fleet)):
                return fleet
    raise UnknownGrant(f"no grant {grant[:40]} stands: guardtier grants list shows them", field="grant")


def _body(one: GrantInUse) -> dict[str, Any]:
    return one.grant.model_dump(mode="json") | {"words": one.grant.words, "uses": one.uses}


def _suggestion(grant: Grant) -> dict[str, Any]:
    return {"pattern": grant.pattern.value, "scope": grant.scope.value, "words": grant.words}
