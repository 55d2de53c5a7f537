"""guardtier acl: the roles of Redis' ACL, as a file, and a credential for the agents of one fleet."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated

import typer
from redis.exceptions import ResponseError

from guardtier.action import is_name
from guardtier.settings import Settings
from guardtier.store.acl import acl_line
from guardtier.store.roles import acl_file, agents_of
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, note, say
from guardtier_workers.cli.tier import tier_at

Fleets = Annotated[
    list[str] | None, typer.Option("--fleet", help="A fleet whose agents get a user; may be repeated.")
]


def file(config: Config = None, fleet: Fleets = None) -> None:
    """Print the whole ACL file, for the partitions of the settings. Nobody in it has a password yet."""
    settings = Settings.load(config)
    fleets = fleet or list(settings.fleets)
    for name in fleets:
        _check(name)
    print(acl_file(settings.partitions, fleets), end="")


def agents(
    name: Annotated[str, typer.Argument(metavar="FLEET")],
    set_it: Annotated[bool, typer.Option("--set", help="Set it in Redis: needs an admin's URL.")] = False,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a credential for the agents of a fleet, with a new password, which is told this once.

    The line for Redis goes to standard output (``>> users.acl``), the password to standard error.
    """
    _check(name)
    password = token_urlsafe(32)
    role = agents_of(name)

    def line_for(partitions: int) -> str:
        return acl_line(role, partitions, sha256(password.encode()).hexdigest())

    async def set_in_redis() -> tuple[str, bool]:
        async with tier_at(redis_url, config) as tier:
            line = line_for(tier.partitions)  # with fewer, some of its clients would be refused
            await tier.redis.execute_command("ACL", "SETUSER", role.name, "reset", *_rules_in(line))
            try:
                await tier.redis.execute_command("ACL", "SAVE")
            except ResponseError:  # without a file that it may write, the server forgets it when it ends
                return line, False
            return line, True

    line, is_saved = (
        asyncio.run(set_in_redis()) if set_it else (line_for(Settings.load(config).partitions), None)
    )
    if as_json:
        emit({"user": role.name, "password": password, "line": line, "saved": is_saved})
        return
    say(line)
    note(f"user {role.name}, password {password}")
    if is_saved is False:
        note(
            "it is set until this server ends: it has no aclfile that it may write, so keep the line above"
        )


def _rules_in(line: str) -> list[str]:
    """The rules of a line as ACL SETUSER takes them: a selector is one of them."""
    found: list[str] = []
    for word in line.split()[2:]:
        if found and found[-1].startswith("(") and not found[-1].endswith(")"):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _check(name: str) -> None:
    if not is_name(name):
        raise UsageError("a fleet's name is 1 to 64 letters, digits, _ or -", field="fleet")
