"""Policies: who sets them on a console, and files to be set."""

from __future__ import annotations

from typing import Any

import httpx

from consoles import Desk
from guardtier_workers.cli.state import OPERATES

PARKS_ALL = 'version = 1\n[[rule]]\nname = "all"\noutcome = "park"\n'

TESTED = """\
version = 1

[[rule]]
name = "no-refunds"
outcome = "reject"
fleet = "web"
tool = "refund"
reason = "Ask finance."

[fleet.web]
policy = { kind = "never_confirm" }

[[test]]
name = "a refund is refused"
action = { fleet = "web", tool_name = "refund" }
expect = "reject"
"""

FAILING = TESTED.replace('expect = "reject"', 'expect = "park"')


async def admin(console: Desk, name: str = "olga", fleets: list[str] | None = None) -> httpx.AsyncClient:
    return await console.browser(name, fleets, OPERATES)


async def set_file(who: httpx.AsyncClient, text: str, **more: Any) -> httpx.Response:
    return await who.put("/api/v1/policy-file", json={"text": text, **more})
