"""Queues: how much waits in the work streams, and for how long. It writes nothing.

What one entry holds is not looked at, and not fetched where it can be helped: it may be a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from guardtier.store.connection import AnyRedis
from guardtier.store.keys import ANALYZERS, POLICIES, Keys, all_keys

ACTIONS = "actions"  #: the kind of a fleet's queue


@dataclass(frozen=True, slots=True)
class Queue:
    """One kind of work, in all partitions together.

    ``pending``: in the hands of a worker. ``unread``: nobody has taken it yet; where not ``is_exact`` it
    is that much at the most (Redis below 7.0 does not say). ``oldest`` is when the oldest of both was
    added (ms since 1970, Redis' clock); None where nothing waits. ``missing``: partitions in which no
    worker has made it yet.
    """

    kind: str
    fleet: str | None
    length: int = 0
    pending: int = 0
    unread: int = 0
    is_exact: bool = True
    oldest: int | None = None
    missing: int = 0

    def beside(self, other: Queue) -> Queue:
        """The same kind of work in two partitions."""
        times = [one for one in (self.oldest, other.oldest) if one is not None]
        return Queue(
            self.kind,
            self.fleet,
            self.length + other.length,
            self.pending + other.pending,
            self.unread + other.unread,
            self.is_exact and other.is_exact,
            min(times, default=None),
            self.missing + other.missing,
        )


@dataclass(frozen=True, slots=True)
class _Stream:
    """One stream in one partition, and which of the queues it is part of."""

    kind: str
    fleet: str | None
    key: str
    group: str


async def fleet_queues(redis: AnyRedis, partitions: int, fleets: Iterable[str]) -> list[Queue]:
    """What the agents of these fleets have asked, one queue a fleet."""
    found = list(fleets)
    return await _read(
        redis,
        [
            [_Stream(ACTIONS, fleet, keys.actions(fleet), ANALYZERS) for fleet in found]
            for keys in all_keys(partitions)
        ],
    )


async def tier_queues(redis: AnyRedis, partitions: int) -> list[Queue]:
    """What belongs to no fleet alone: the work of the later stages, and strays."""
    return await _read(redis, [_shared(keys) for keys in all_keys(partitions)])


def _shared(keys: Keys) -> list[_Stream]:
    return [
        _Stream("assessed", None, keys.assessed, POLICIES),
        _Stream("answers", None, keys.answers, POLICIES),
        _Stream("outbox", None, keys.outbox, POLICIES),
        _Stream("edits", None, keys.edits, ANALYZERS),
        _Stream("strays", None, keys.strays, ANALYZERS),
    ]


async def _read(redis: AnyRedis, by_partition: Sequence[Sequence[_Stream]]) -> list[Queue]:
    """The queues, in the order of the first partition's streams."""
    found: dict[tuple[str, str | None], Queue] = {}
    for streams in by_partition:
        for one in await _of(redis, streams):
            known = found.get((one.kind, one.fleet))
            found[one.kind, one.fleet] = known.beside(one) if known else one
    return list(found.values())


async def _of(redis: AnyRedis, streams: Sequence[_Stream]) -> list[Queue]:
    """Two round trips: what each group says, then what is the oldest where something may wait."""
    if not streams:
        return []
    asking = redis.pipeline(transaction=False)
    for stream in streams:
        asking.xlen(stream.key)
        asking.xinfo_groups(stream.key)
    said = await asking.execute(raise_on_error=False)
    groups = [_group(stream, groups) for stream, groups in zip(streams, said[1::2], strict=True)]

    older = redis.pipeline(transaction=False)
    for stream, group in zip(streams, groups, strict=True):
        if group is not None:
            older.xrange(stream.key, min=f"({group['last-delivered-id'].decode()}", count=1)
            older.xpending(stream.key, stream.group)
    answers = iter(await older.execute(raise_on_error=False) if any(groups) else [])
    return [
        _queue(stream, length, group, next(answers), next(answers))
        if group is not None
        else Queue(stream.kind, stream.fleet, length=_number(length), missing=1)
        for stream, length, group in zip(streams, said[::2], groups, strict=True)
    ]


def _group(stream: _Stream, said: Any) -> dict[str, Any] | None:
    """What Redis says of the stream's group; None where nobody has made it. Raises other errors."""
    if isinstance(said, ResponseError) and str(said).startswith("no such key"):
        return None
    if isinstance(said, BaseException):
        raise said
    return next((one for one in said if one["name"].decode() == stream.group), None)


def _queue(stream: _Stream, length: Any, group: dict[str, Any], first: Any, pending: Any) -> Queue:
    """``first``: the first entry that nobody has taken; an error where this credential may not read it."""
    lag = group.get("lag")
    waits = max(_number(length) - group["pending"], 0) if lag is None else int(lag)
    has_unread = bool(first) if isinstance(first, list) else waits > 0
    times = [_time(first[0][0])] if isinstance(first, list) and first else []
    if isinstance(pending, dict) and pending.get("min"):
        times.append(_time(pending["min"]))
    return Queue(
        stream.kind,
        stream.fleet,
        length=_number(length),
        pending=group["pending"],
        unread=waits if has_unread else 0,
        is_exact=lag is not None or not has_unread,
        oldest=min(times, default=None),
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _time(entry: bytes | str) -> int:
    text = entry.decode() if isinstance(entry, bytes) else entry
    return int(text.partition("-")[0])
