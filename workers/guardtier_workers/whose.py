"""Whose: the agent and the conversation of an action, by its record and not by what a request says."""

from __future__ import annotations

from typing import NamedTuple

from guardtier.errors import InvalidAction, StaleVerdict
from guardtier.keyfile import clock_text
from guardtier.store.records import Record, Records
from guardtier_workers.clock import now_ms
from guardtier_workers.lane import Lane


class Whose(NamedTuple):
    """Both empty where the action can't be read."""

    agent: str
    conversation: str


async def record_of(lane: Lane, action_id: str) -> Record:
    """As ``Records.get``, over the one connection of the lane: of many at once each would open one."""
    return await Records(lane.redis, lane.settings.partitions).ask(action_id, lane.pipe).get()


async def whose(lane: Lane, action_id: str) -> Whose:
    """Raises UnknownAction where there is no such record."""
    return _named_in(await record_of(lane, action_id))


async def whose_to_redeem(lane: Lane, action_id: str) -> Whose:
    """The same. Raises StaleVerdict where its approval is signed, and its time is over.

    It stays unused then: its client would refuse it, and it would be gone.
    """
    record, now = await record_of(lane, action_id), now_ms()
    until = record.verdict.valid_until if record.verdict is not None else None
    if until is not None and until < now:
        raise StaleVerdict(
            f"the approval of {action_id} could be used until {clock_text(until)}, and the tier's clock "
            f"says {clock_text(now)}: ask again under a new id",
            field="valid_until",
            limit=until,
        )
    return _named_in(record)


def _named_in(record: Record) -> Whose:
    try:
        return Whose(record.action.agent, record.action.conversation or "")
    except InvalidAction:
        return Whose("", "")
