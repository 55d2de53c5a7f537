"""Heartbeats: which workers live, and what they say they have done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from redis.exceptions import ResponseError

from guardtier.store.connection import AnyRedis
from guardtier.store.keys import ANALYZERS, POLICIES, Keys, all_keys
from guardtier.store.upkeep import home

MOST = 1000  #: workers of one group in one partition that are looked at
MOST_KEYS = 64  #: of a worker that signs
_KINDS = {ANALYZERS: "analyzer", POLICIES: "policy"}


KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class Heartbeat(BaseModel):
    """One worker, over all partitions. What it counts began when it started (ms since 1970; 0: an older
    worker, which does not say). ``lasts`` are the milliseconds after which it counts as dead unless it says
    something. ``children``: of each child analyzer its votes, and the microseconds that they took in all.
    ``keys``: those that count for its verdicts, of which ``signs`` signs now; none where it does not sign,
    None where it does not say. ``spent``: it has keys to sign with, and none that is valid now.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    kind: str
    handled: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    in_work: int = Field(default=0, ge=0)
    started: int = Field(default=0, ge=0)
    lasts: int = 0
    partitions: int = 1  #: in so many it is heard of
    children: Mapping[str, tuple[int, int]] = Field(default_factory=dict)
    signs: KeyId | Literal[""] = ""
    keys: Annotated[tuple[KeyId, ...], Field(max_length=MOST_KEYS)] | None = None
    spent: bool = False

    @classmethod
    def read(cls, name: str, group: str, raw: bytes, lasts: int) -> Self:
        """What a worker wrote. What can't be read is a worker that lives and says nothing."""
        known = {"name": name, "kind": _KINDS[group], "lasts": max(lasts, 0)}
        try:
            said = orjson.loads(raw)
            return cls.model_validate({**(said if isinstance(said, dict) else {}), **known, **_kind(said)})
        except (orjson.JSONDecodeError, ValidationError):
            return cls.model_validate(known)

    def beside(self, other: Heartbeat) -> Heartbeat:
        """The same worker in two partitions."""
        return self.model_copy(
            update={
                "handled": self.handled + other.handled,
                "failed": self.failed + other.failed,
                "in_work": self.in_work + other.in_work,
                "lasts": min(self.lasts, other.lasts),
                "partitions": self.partitions + other.partitions,
                "children": max(self.children, other.children, key=_votes),
            }
        )


def _kind(said: Any) -> dict[str, str]:
    kind = said.get("kind") if isinstance(said, dict) else None
    return {"kind": kind[:64]} if isinstance(kind, str) and kind else {}


def _votes(children: Mapping[str, tuple[int, int]]) -> int:
    return sum(votes for votes, _ in children.values())


async def heartbeats(redis: AnyRedis, partitions: int) -> list[Heartbeat]:
    """The workers that live, by kind and name. Raises what Redis raises."""
    found: dict[str, Heartbeat] = {}
    for keys in all_keys(partitions):
        for group in (ANALYZERS, POLICIES):
            for one in await _of(redis, keys, group):
                known = found.get(one.name)
                found[one.name] = one.beside(known) if known else one
    return sorted(found.values(), key=lambda one: (one.kind, one.name))


async def deciders(redis: AnyRedis) -> list[Heartbeat]:
    """The policy workers that live, as one of them may see them: in the first partition, as in all."""
    keys = Keys(0)
    names = await _names(redis, keys, POLICIES)
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.get(keys.alive(POLICIES, name))
    said = await pipeline.execute() if names else []
    return [Heartbeat.read(name, POLICIES, raw, 0) for name, raw in zip(names, said, strict=True) if raw]


async def _names(redis: AnyRedis, keys: Keys, group: str) -> list[str]:
    """Who has read in this group, alive or not."""
    try:
        consumers = await redis.xinfo_consumers(home(keys, group), group)
    except ResponseError as error:
        if not str(error).startswith(("no such key", "NOGROUP")):
            raise
        return []  # no worker has ever run here
    return [consumer["name"].decode(errors="backslashreplace") for consumer in consumers[:MOST]]


async def _of(redis: AnyRedis, keys: Keys, group: str) -> list[Heartbeat]:
    names = await _names(redis, keys, group)
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.get(keys.alive(group, name))
        pipeline.pttl(keys.alive(group, name))
    said = await pipeline.execute() if names else []
    return [
        Heartbeat.read(name, group, raw, lasts)
        for name, raw, lasts in zip(names, said[::2], said[1::2], strict=True)
        if raw
    ]
