"""Conversation: the last actions of one conversation, with what became of each, and the labels it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import orjson
from pydantic import BaseModel, ValidationError

from guardtier.action import is_name, partition_of
from guardtier.analyzers.history import Entry
from guardtier.errors import UnknownAction
from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier.store.connection import AnyRedis
from guardtier.store.histories import Stored
from guardtier.store.keys import HistoryKeys
from guardtier.store.records import Record, Records
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.opened import opened

_MOST: Final = 64  #: entries that are read; the tier keeps 32
_BATCH: Final = 8  #: records read at once: an action has up to 1 MiB
_LABELS: Final = 100


class Label(BaseModel):
    """What the conversation has done: since which action, and what that did, in words."""

    name: str
    id: str
    first_at: int
    last_at: int
    words: str


class Turn(BaseModel):
    """One action. ``outcome``: its state; "gone" where its record is. All text is untrusted."""

    id: str
    at: int
    tool: str
    outcome: str
    risk: SecurityRisk
    headline: str = ""
    labels: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    reason: str = ""


class Conversation(BaseModel):
    """Newest first. ``total`` counts every action that there was, ``turns`` has the last of them."""

    fleet: str
    conversation: str
    agents: tuple[str, ...]
    total: int
    labels: list[Label]
    turns: list[Turn]


class Conversations:
    """Reads the histories of conversations, of the fleets that an approver sees."""

    def __init__(self, redis: AnyRedis, records: Records, partitions: int) -> None:
        self._redis, self._records, self._partitions = redis, records, partitions

    async def of(self, fleet: str, conversation: str, me: Me, *, most: int = _MOST) -> Conversation:
        """Raises UnknownAction where the fleet has no such conversation, or is not theirs."""
        if not is_name(fleet) or not me.sees(fleet):
            raise _unknown(conversation)
        keys = HistoryKeys(fleet)
        listed = await self._redis.lrange(keys.entries(conversation), 0, min(most, _MOST) - 1)  # type: ignore[misc]
        kept = await self._redis.hgetall(keys.history(conversation))  # type: ignore[misc]
        if not listed:
            raise _unknown(conversation)
        entries = [entry for raw in listed if (entry := _entry(raw)) is not None]
        records = await self._records_of(entries, fleet)
        agents = dict.fromkeys(record.agent for record in records.values() if record.agent)
        return Conversation(
            fleet=fleet,
            conversation=conversation,
            agents=tuple(agents),
            total=_number(kept.get(b"n", b"")),
            labels=_labels(kept),
            turns=[_turn(entry, records.get(entry.id)) for entry in entries],
        )

    async def _records_of(self, entries: list[Entry], fleet: str) -> dict[str, Record]:
        """Those that there still are. An id alone does not tell: it may be another action's by now."""
        digests = {entry.id: entry.digest for entry in entries if self._is_placed(entry.id)}
        ids, found = list(digests), {}
        for start in range(0, len(ids), _BATCH):
            for record in await self._records.many(ids[start : start + _BATCH]):
                asked = (record.digest, record.asked or "")
                if record.fleet == fleet and any(one.startswith(digests[record.id]) for one in asked):
                    found[record.id] = await opened(record)
        return found

    def _is_placed(self, action_id: str) -> bool:
        partition = partition_of(action_id)
        return partition is not None and partition < self._partitions


def address(fleet: str, conversation: str) -> str:
    """Where its page is. Browsers take a last part of dots for a step up, so those go another way."""
    if conversation in (".", ".."):
        return f"/conversations/{fleet}?conversation={conversation}"
    return f"/conversations/{fleet}/{quote(conversation, safe='')}"


def _turn(entry: Entry, record: Record | None) -> Turn:
    known = Turn(
        id=entry.id,
        at=entry.at,
        tool=entry.tool,
        outcome="gone",
        risk=entry.risk,
        labels=entry.labels,
        targets=entry.targets,
    )
    if record is None:
        return known
    item, verdict = Item.of(record), record.verdict
    return known.model_copy(
        update={
            "outcome": record.state.value,
            "risk": record.assessment.risk,
            "headline": item.headline,
            "by": verdict.decided_by if verdict is not None else (),
            "reason": verdict.reason if verdict is not None else "",
        }
    )


def _entry(raw: bytes) -> Entry | None:
    at, _, body = raw.partition(b" ")
    try:
        return Entry.model_validate(orjson.loads(body) | {"at": int(at)})
    except (ValueError, TypeError, ValidationError):
        return None


def _labels(kept: Mapping[bytes, bytes]) -> list[Label]:
    found: list[Label] = []
    for name, raw in kept.items():
        if not name.startswith(b"l:"):
            continue
        try:
            mark = Stored.from_text(raw)
        except ValueError:
            continue
        label = name[2:].decode(errors="backslashreplace")
        found.append(
            Label(name=label, id=mark.id, first_at=mark.first_at, last_at=mark.last_at, words=mark.words)
        )
    return sorted(found, key=lambda one: (one.first_at, one.name))[:_LABELS]


def _number(raw: bytes) -> int:
    return int(raw) if raw.isdigit() else 0


def _unknown(conversation: str) -> UnknownAction:
    return UnknownAction(
        f"no conversation {conversation!r}: it never was, or has ended", field="conversation"
    )
