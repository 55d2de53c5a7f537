"""guardtier fleet: who may send. A fleet's stream exists from its registration on."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from guardtier.action import is_name
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.policy_fleets import files_in, policy_body
from guardtier_workers.cli.tier import tier_at


def add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Register a fleet. Workers read its stream within a second; its policy is the tier's default."""
    if not is_name(name):
        raise UsageError("a fleet's name is 1 to 64 letters, digits, _ or -", field="name")

    async def run() -> None:
        async with tier_at(redis_url, config) as tier:
            await tier.upkeep.register(name)

    asyncio.run(run())
    if as_json:
        emit({"fleet": name})
    else:
        say(f"fleet {name} is registered")


def list_fleets(redis_url: RedisUrl = None, config: Config = None, as_json: Json = False) -> None:
    """List the registered fleets, with their policy and with the time limit of these settings."""

    async def run() -> list[dict[str, object]]:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            files = await files_in(tier)
            return [
                {
                    "fleet": name,
                    "policy": policy_body(tier.settings, name, await reader.policy(name), files)["version"],
                    "park_seconds": tier.settings.park_ms_of(name) / 1000,
                }
                for name in await tier.upkeep.fleets()
            ]

    found = asyncio.run(run())
    if as_json:
        emit({"fleets": found})
        return
    for row in found:
        say(f"{row['fleet']}: {row['policy']}, parked for at most {row['park_seconds']:g} s")
    if not found:
        say("no fleet is registered: guardtier fleet add NAME")
