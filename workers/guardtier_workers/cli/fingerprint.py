"""guardtier audit fingerprint: where a secret that leaked was seen, without keeping it anywhere."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from guardtier.redacted import Fingerprinter
from guardtier.store.histories import kept_fingerprint_key
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.tier import tier_at

MOST = 64 * 1024  #: characters of a secret

Fleets = Annotated[
    list[str] | None, typer.Option("--fleet", help="Of these fleets alone; may be repeated.")
]


def fingerprint(
    redis_url: RedisUrl = None, config: Config = None, fleet: Fleets = None, as_json: Json = False
) -> None:
    """Read a secret from standard input, and print what stands in its place, fleet by fleet.

    Look for it with ``guardtier audit search``, or in what was exported.
    """
    secret = sys.stdin.read(MOST + 1).removesuffix("\n")
    if not secret or len(secret) > MOST:
        raise UsageError(f"give the secret on standard input, 1 to {MOST} characters", field="secret")

    async def run() -> dict[str, str]:
        async with tier_at(redis_url, config) as tier:
            key = tier.settings.history_key
            raw = key.get_secret_value().encode() if key else await kept_fingerprint_key(tier.redis)
            prints = Fingerprinter(raw)
            return {name: prints.of(name, secret) for name in fleet or await tier.upkeep.fleets()}

    found = asyncio.run(run())
    if as_json:
        emit({"fingerprints": found})
        return
    for name, print_ in found.items():
        say(f"{name}: redacted:…:{print_}")
