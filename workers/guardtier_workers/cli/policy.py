"""guardtier policy: what a fleet's actions are confirmed by, changed while the tier runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.approver import ApproverClient, PartitionFile, PartitionPolicy
from guardtier.errors import UnknownFleet
from guardtier.policy.confirmation import AlwaysConfirm, ConfirmRisky, NeverConfirm, Policy
from guardtier.risk import SecurityRisk
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.policy_fleets import files_in, policy_body, tell_fleet
from guardtier_workers.cli.policy_standing import (
    change_file,
    file_body,
    show_file,
    tell_file,
    tested_text,
)
from guardtier_workers.cli.tier import load_settings, tier_at

Fleet = Annotated[str | None, typer.Argument(metavar="FLEET", show_default=False)]


class Kind(StrEnum):
    """The policies that there are, by the names that a settings file has for them."""

    always_confirm = "always_confirm"
    never_confirm = "never_confirm"
    confirm_risky = "confirm_risky"


class Level(StrEnum):
    """The risks that can be a threshold."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


def set_policy(
    fleet: Fleet = None,
    kind: Annotated[
        Kind | None, typer.Argument(metavar="POLICY", help=", ".join(Kind), show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="A policy file, for all fleets. Its tests run first."),
    ] = None,
    threshold: Annotated[
        Level | None,
        typer.Option(help="confirm_risky: what is as risky waits.", show_default="HIGH"),
    ] = None,
    confirm_unknown: Annotated[
        bool | None,
        typer.Option(help="confirm_risky: what can't be rated waits.", show_default="waits"),
    ] = None,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put a fleet under a policy, or all fleets under a policy file, from their next action on.

    What a rule of the file matches is decided by it; the rest by the fleet's own policy.
    """
    if file is not None:
        if fleet is not None or threshold is not None or confirm_unknown is not None:
            raise UsageError("a policy file counts for all fleets: give --file alone", field="fleet")
        text = tested_text(file, load_settings(redis_url, config))

        def ask_file(approver: ApproverClient) -> Awaitable[list[PartitionFile]]:
            return approver.set_policy_file(text, timeout=timeout)

        change_file(ask_file, redis_url, config, name, token_file, text=text, as_json=as_json)
        return
    if fleet is None or kind is None:
        raise UsageError("give FLEET and POLICY, or --file FILE", field="fleet")
    policy = _policy(kind, threshold, confirm_unknown)

    def ask(approver: ApproverClient) -> Awaitable[list[PartitionPolicy]]:
        return approver.set_policy(fleet, policy, timeout=timeout)

    _change(ask, fleet, redis_url, config, name, token_file, as_json=as_json)


def reset(
    fleet: Fleet = None,
    file: Annotated[
        bool, typer.Option("--file", help="The policy file: back to that of the settings, or to none.")
    ] = False,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Put a fleet back under the settings' policy, or the tier under their policy file."""
    if file == (fleet is not None):
        raise UsageError("give FLEET or --file", field="fleet")
    if fleet is None:

        def ask_file(approver: ApproverClient) -> Awaitable[list[PartitionFile]]:
            return approver.reset_policy_file(timeout=timeout)

        change_file(ask_file, redis_url, config, name, token_file, as_json=as_json)
        return

    def ask(approver: ApproverClient) -> Awaitable[list[PartitionPolicy]]:
        return approver.reset_policy(fleet, timeout=timeout)

    _change(ask, fleet, redis_url, config, name, token_file, as_json=as_json)


def show(
    fleet: Annotated[str | None, typer.Argument(metavar="FLEET", help="Else every fleet.")] = None,
    file: Annotated[bool, typer.Option("--file", help="Print the policy file that stands.")] = False,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what policy a fleet is under, and where it comes from: these settings, or set at run time."""
    if file:
        if fleet is not None:
            raise UsageError("a policy file counts for all fleets: give --file alone", field="fleet")
        show_file(redis_url, config, as_json=as_json)
        return

    async def run() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            known = await tier.upkeep.fleets()
            if fleet is not None and fleet not in known:
                raise UsageError(f"no fleet {fleet!r} is registered: guardtier fleet list", field="fleet")
            names = known if fleet is None else [fleet]
            files = await files_in(tier)
            bodies = [policy_body(tier.settings, name, await reader.policy(name), files) for name in names]
            return bodies, file_body(tier.settings, await reader.policy_file())

    found, stands = asyncio.run(run())
    if as_json:
        emit({"policies": found, "file": stands})
        return
    if stands["source"] != "none" or not stands["agreed"]:
        tell_file(stands)
    for body in found:
        tell_fleet(body)
    if not found:
        say("no fleet is registered: guardtier fleet add NAME")


def _policy(kind: Kind, threshold: Level | None, confirm_unknown: bool | None) -> Policy:
    if kind is Kind.confirm_risky:
        return ConfirmRisky(
            threshold=SecurityRisk(threshold or Level.HIGH),
            confirm_unknown=True if confirm_unknown is None else confirm_unknown,
        )
    if threshold is not None or confirm_unknown is not None:
        raise UsageError(
            f"--threshold and --confirm-unknown are for confirm_risky, not for {kind}", field="threshold"
        )
    return AlwaysConfirm() if kind is Kind.always_confirm else NeverConfirm()


def _change(
    ask: Callable[[ApproverClient], Awaitable[list[PartitionPolicy]]],
    fleet: str,
    redis_url: str | None,
    config: Path | None,
    name: str | None,
    token_file: Path | None,
    *,
    as_json: bool,
) -> None:
    async def run() -> dict[str, Any]:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            found = await ask(approver)
            if all(part.standing is None for part in found) and fleet not in await tier.upkeep.fleets():
                raise UnknownFleet(
                    f"no fleet {fleet!r} is registered: guardtier fleet list", field="fleet"
                )  # the tier was not asked: a reset had nothing to do
            return policy_body(tier.settings, fleet, found, await files_in(tier))

    body = asyncio.run(run())
    if as_json:
        emit(body)
    else:
        tell_fleet(body)
