"""Talks: what an agent does in a conversation, and what the tier finds of it."""

from __future__ import annotations

from typing import Any

from guardtier import ActionEvent
from guardtier.settings import Settings
from guardtier.store.keys import HistoryKeys
from tier import StartTier, Tier

DEFAULT = Settings.model_fields["analyzers"].default

AWS = "AKIAQ4XW7ZJ5T2LNB6VD"  # made up

HISTORY = HistoryKeys("web")


def does(command: str, conversation: str | None = "talk-1", **fields: Any) -> ActionEvent:
    known = {"fleet": "web", "agent": "agent-1", "tool_name": "terminal"}
    return ActionEvent(**known | {"arguments": {"command": command}, "conversation": conversation} | fields)


async def started(start_tier: StartTier, **settings: Any) -> Tier:
    """A tier with the default ensemble: ``analyzers`` of ``start_tier`` is the number of workers."""
    tier = await start_tier(analyzers=0, policies=1)
    tier.settings = Settings(**tier.settings.model_dump() | {"analyzers": DEFAULT} | settings)
    await tier.analyzer()
    return tier


async def approved(tier: Tier, action: ActionEvent) -> str:
    """Ask, have a person approve, and use the approval: the action runs. Returns its id."""
    agent = tier.client()
    status = await agent.submit(action)
    await tier.parked()
    record = await tier.record(status.id)
    await tier.approver().approve(record.id, digest=record.digest)
    assert (await agent.check(action)).allowed
    return status.id


async def findings_of(tier: Tier, action: ActionEvent) -> dict[str, str]:
    """What the tier finds in an action: id → message."""
    status = await tier.client().submit(action)
    record = await tier.record(status.id)
    return {finding.id: finding.message for finding in record.assessment.findings}


async def content_of(tier: Tier, key: bytes) -> str:
    """All that a key holds, as text."""
    redis = tier.redis
    reads: dict[bytes, Any] = {
        b"hash": redis.hgetall,
        b"stream": redis.xrange,
        b"string": redis.get,
        b"set": redis.smembers,
        b"list": lambda name: redis.lrange(name, 0, -1),
        b"zset": lambda name: redis.zrange(name, 0, -1),
    }
    return repr(await reads[await redis.type(key)](key))


def sorted_keys(keys: list[bytes], conversation: str) -> list[bytes]:
    """Those of the keys that belong to this conversation, its agent, or the fleet's list."""
    mine = (
        HISTORY.history(conversation),
        HISTORY.entries(conversation),
        HISTORY.found(conversation),
        HISTORY.seen,
    )
    return [key for key in keys if key.decode() in mine or b":agent:" in key]
