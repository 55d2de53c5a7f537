"""guardtier approve, guardtier reject: one approver's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from guardtier.approver import ApproverClient
from guardtier.verdict import Verdict
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.show import Id
from guardtier_workers.cli.tier import tier_at

Digest = Annotated[
    str | None,
    typer.Option(
        metavar="DIGEST",
        help="Answer only if the action still has this digest, the one that you looked at.",
        show_default=False,
    ),
]


def approve(
    action_id: Id,
    reason: Annotated[str, typer.Option(help="Kept with the verdict.")] = "",
    digest: Digest = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Let a parked action run, once."""

    def ask(approver: ApproverClient) -> Awaitable[Verdict]:
        return approver.approve(action_id, digest=digest, reason=reason, timeout=timeout)

    _tell(asyncio.run(_answer(ask, redis_url, config, name, token_file)), as_json)


def reject(
    action_id: Id,
    reason: Annotated[str, typer.Option(help="Told to the agent's model: say what to do instead.")],
    digest: Digest = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Forbid a parked action."""

    def ask(approver: ApproverClient) -> Awaitable[Verdict]:
        return approver.reject(action_id, digest=digest, reason=reason, timeout=timeout)

    _tell(asyncio.run(_answer(ask, redis_url, config, name, token_file)), as_json)


async def _answer(
    ask: Callable[[ApproverClient], Awaitable[Verdict]],
    redis_url: str | None,
    config: Path | None,
    name: str | None,
    token_file: Path | None,
) -> Verdict:
    async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
        return await ask(approver)


def _tell(verdict: Verdict, as_json: bool) -> None:
    if as_json:
        emit(verdict.model_dump(mode="json"))
    else:
        say(f"{verdict.outcome.value} by {', '.join(verdict.decided_by)}: {verdict.id}")
