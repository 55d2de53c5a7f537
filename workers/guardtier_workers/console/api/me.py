"""``/me``: who is signed in, and what they may."""

from __future__ import annotations

from pydantic import BaseModel

from guardtier.look import Me
from guardtier_workers.console.api.endpoint import Call, Endpoint


class Visitor(BaseModel):
    """``role``: viewer, approver, operator or admin, by the rights. ``csrf``: of a session's requests."""

    me: Me
    role: str
    csrf: str


async def who_am_i(call: Call) -> Visitor:
    return Visitor(me=call.visitor.me, role=call.visitor.role, csrf=call.visitor.csrf)


ENDPOINTS = (Endpoint("GET", "/me", who_am_i, Visitor, "Who is signed in, and what they may", tag="me"),)
