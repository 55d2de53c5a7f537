"""What people send to a console about actions that wait, and what it says."""

from __future__ import annotations

from typing import Any

import httpx

from editing import Parked


def answer_to(asked: Parked, choice: str, **more: Any) -> dict[str, Any]:
    """The body of an answer by somebody who has looked at what was asked for."""
    return {"choice": choice, "digest": asked.action.digest} | more


async def said(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the API answers to a change that it makes."""
    answer = await client.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(client: httpx.AsyncClient, path: str, body: Any, status: int) -> dict[str, Any]:
    """The problem that the API refuses it with."""
    answer = await client.post(f"/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found
