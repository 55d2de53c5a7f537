"""guardtier channel: where notices go, and whether they get there."""

from __future__ import annotations

import asyncio
from time import time
from typing import Annotated

import typer

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import ConfigError
from guardtier.policy.terms import USUAL
from guardtier.risk import SecurityRisk
from guardtier.settings import Settings
from guardtier.state import State
from guardtier.store.records import Record
from guardtier_workers.cli.options import Config, Json
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.tier import load_settings


def list_channels(config: Config = None, as_json: Json = False) -> None:
    """List the channels of these settings."""
    channels = load_settings(None, config).channel
    if as_json:
        emit({"channels": [{"name": name, "kind": one.kind} for name, one in channels.items()]})
        return
    for name, one in channels.items():
        say(f"{name}: {one.kind}")
    if not channels:
        say("no channel is set; docs/notices.md says how")


def try_out(
    name: Annotated[str, typer.Argument(metavar="NAME")], config: Config = None, as_json: Json = False
) -> None:
    """Send a made-up notice to a channel, from here and once. It says what went wrong."""
    settings = load_settings(None, config)
    if name not in settings.channel:
        known = ", ".join(settings.channel) or "none"
        raise ConfigError(f"there is no channel {name!r}; the settings have: {known}", field="channel")
    asyncio.run(_send(settings, name))
    if as_json:
        emit({"channel": name, "sent": True})
    else:
        say(f"channel {name} took the notice")


async def _send(settings: Settings, name: str) -> None:
    from guardtier_workers.notices.channels import Channels
    from guardtier_workers.notices.plan import Notice
    from guardtier_workers.notices.rendering import Renderer

    at = int(time() * 1000)
    notice = Notice("test.0", name, "test", 0, at, at)
    await Channels(settings).send(name, Renderer(settings).shown(_made_up(at), USUAL, notice))


def _made_up(at: int) -> Record:
    action = ActionEvent(
        id="test.0",
        fleet="default",
        agent="nobody",
        tool_name="terminal",
        arguments={"command": "echo 'this is a test'"},
        summary="shows what a notice looks like",
    )
    return Record(
        id=action.id,
        state=State.PARKED,
        fleet=action.fleet,
        waiters="",
        digest=action.digest,
        event=action.to_json(),
        received_at=at,
        assessment=Assessment(risk=SecurityRisk.LOW),
        deadline=at + 3_600_000,
    )
