"""Whose: the agent and the conversation of an action, by its record and not by what a request says."""

from __future__ import annotations

from typing import NamedTuple

from guardtier.errors import InvalidAction
from guardtier.store.records import Records
from guardtier_workers.lane import Lane


class Whose(NamedTuple):
    """Both empty where the action can't be read."""

    agent: str
    conversation: str


async def whose(lane: Lane, action_id: str) -> Whose:
    """Raises UnknownAction where there is no such record."""
    record = await Records(lane.redis, lane.settings.partitions).get(action_id)
    try:
        return Whose(record.action.agent, record.action.conversation or "")
    except InvalidAction:
        return Whose("", "")
