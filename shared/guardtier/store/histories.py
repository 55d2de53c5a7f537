"""Histories: what the tier remembers of conversations, in Redis. Each method is one atomic script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Self

from guardtier.errors import ConfigError
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import HISTORY_KEY, HistoryKeys, Keys
from guardtier.store.pipe import CommandPipe

MAX_DOWNLOADS = 512  #: keys of downloaded paths kept of a conversation, two a file
MAX_SECRETS = 256  #: fingerprints kept of a conversation
MAX_HISTORIES = 20_000  #: of one fleet; beyond, the one that was used longest ago makes room
MAX_SEEN = 100_000  #: conversations of one fleet that are known to have had a history


@dataclass(frozen=True, slots=True)
class Keep:
    """How long a history is kept behind its last action, and an agent's labels for its next one (ms)."""

    history_ms: int = 24 * 3600 * 1000
    inherit_ms: int = 600 * 1000
    entries: int = 32


@dataclass(frozen=True, slots=True)
class Stored:
    """A mark as Redis has it."""

    first_at: int
    last_at: int
    id: str
    how: str
    words: str

    @classmethod
    def from_text(cls, raw: bytes) -> Self:
        first, last, name, how, words = raw.decode("utf-8", "replace").split(" ", 4)
        return cls(int(first), int(last), name, how, words)


@dataclass(frozen=True, slots=True)
class Past:
    """A history as it stood before the action. ``state``: known, new or lost. Times in ms, Redis' clock."""

    state: str
    total: int
    this_minute: int
    now_ms: int
    labels: dict[str, Stored] = field(default_factory=dict)
    downloads: dict[str, Stored] = field(default_factory=dict)  #: those that were asked for
    downloads_full: bool = False
    secrets: int = 0  #: how many fingerprints there are
    secrets_full: bool = False  #: more secrets were in outputs than that
    entries: tuple[tuple[int, bytes], ...] = ()  #: when, and the entry's JSON; the newest first

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> Self:
        state, total, minute, now, pairs, entries, runs, _ = reply
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        labels = {
            name[2:].decode(): Stored.from_text(value)
            for name, value in fields.items()
            if name.startswith(b"l:")
        }
        came = {
            key.decode(): Stored.from_text(value) for key, value in zip(runs[::2], runs[1::2], strict=True)
        }
        return cls(
            _text(state), int(total), int(minute), int(now),
            labels, came, b"full" in fields, int(fields.get(b"sn", 0)), b"sfull" in fields,
            tuple(_entry(one) for one in entries),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remark:
    """What is written down of an action. ``entry`` is JSON that begins with ``{"id":…``."""

    id: str
    entry: bytes
    labels: Mapping[str, str]
    downloads: Sequence[str] = ()
    runs: Sequence[str] = ()  #: keys to look up among the downloads


class Histories:
    """The histories of every fleet, through one pipe. Raises TierUnavailable where Redis refuses."""

    def __init__(self, redis: AnyRedis, keep: Keep | None = None) -> None:
        self._redis = redis
        self._pipe = CommandPipe(redis, insist=False)
        self._keep = keep or Keep()

    async def remember(self, fleet: str, conversation: str, agent: str, remark: Remark) -> Past:
        """Write an action down and return what stood before. The same action twice is one."""
        keys, keep = HistoryKeys(fleet), self._keep
        reply = await self._pipe.script(
            "remember",
            [
                keys.history(conversation),
                keys.entries(conversation),
                keys.found(conversation),
                keys.agent(agent),
                keys.seen,
            ],
            [
                conversation, remark.id, remark.entry, keep.history_ms, keep.inherit_ms, keep.entries,
                MAX_DOWNLOADS, MAX_HISTORIES, MAX_SEEN, len(remark.labels), len(remark.downloads),
                *_flat(remark.labels), *remark.downloads, *remark.runs,
            ],
        )  # fmt: skip
        retired = _text(reply[7])
        if retired:
            done = self._pipe.post("UNLINK", *keys.all_of(retired))
            done.add_done_callback(lambda future: future.cancelled() or future.exception())
        return Past.from_reply(reply)

    async def observed(
        self,
        fleet: str,
        conversation: str,
        agent: str,
        action_id: str,
        *,
        labels: Mapping[str, str],
        secrets: Sequence[str] = (),
        more_secrets: bool = False,
    ) -> bool:
        """Write down what an action's outcome shows. False where the conversation has no history: what
        is written then makes its next action ``lost``.
        """
        keys, keep = HistoryKeys(fleet), self._keep
        done = await self._pipe.script(
            "observed",
            [keys.history(conversation), keys.found(conversation), keys.agent(agent)],
            [
                action_id, keep.history_ms, keep.inherit_ms, MAX_SECRETS, "1" if more_secrets else "",
                len(labels), *_flat(labels), *secrets,
            ],
        )  # fmt: skip
        return _text(done) == "done"

    async def read_before(
        self, fleet: str, conversation: str, fingerprints: Sequence[str]
    ) -> dict[str, Stored]:
        """Those of the fingerprints that an earlier output held."""
        if not fingerprints:
            return {}
        key, names = HistoryKeys(fleet).found(conversation), list(fingerprints)
        marks = await self._pipe.execute("HMGET", key, *(f"s:{name}" for name in names))
        return {n: Stored.from_text(mark) for n, mark in zip(names, marks, strict=True) if mark is not None}

    async def states_of(self, action_ids: Sequence[str]) -> dict[str, str]:
        """The states of actions that still have a record. Their partition is in their ids."""
        records = [(name, _record_of(name)) for name in action_ids]
        waiting = [(name, self._pipe.post("HGET", key, "state")) for name, key in records if key]
        found = {name: await reply for name, reply in waiting}
        return {name: _text(state) for name, state in found.items() if state is not None}

    async def entries(self, fleet: str, conversation: str) -> tuple[int, tuple[tuple[int, bytes], ...]]:
        """How many actions there were, and the last of them; the newest first. For reading alone."""
        keys = HistoryKeys(fleet)
        total = await self._pipe.execute("HGET", keys.history(conversation), "n")
        listed = await self._pipe.execute("LRANGE", keys.entries(conversation), 0, -1)
        return int(total or 0), tuple(_entry(one) for one in listed)

    async def fingerprint_key(self) -> bytes:
        """The tier's key for fingerprints of secrets, made once and kept in Redis."""
        return await fingerprint_key(self._redis)

    async def close(self) -> None:
        await self._pipe.close()


async def fingerprint_key(redis: AnyRedis) -> bytes:
    """The tier's key for fingerprints of secrets, made once and kept in Redis. Raises what Redis raises."""
    found = await redis.get(HISTORY_KEY)  # first, since a full Redis takes no SET
    if not found:
        await redis.set(HISTORY_KEY, token_hex(32), nx=True)
        found = await redis.get(HISTORY_KEY)
    return bytes(found)


async def kept_fingerprint_key(redis: AnyRedis) -> bytes:
    """The same, where it was made. Raises ConfigError where none was."""
    found = await redis.get(HISTORY_KEY)
    if not found:
        raise ConfigError("the tier has made no key for fingerprints: nothing was redacted", field="key")
    return bytes(found)


def _record_of(action_id: str) -> str | None:
    partition = action_id.rpartition(".")[2]
    return Keys(int(partition)).action(action_id) if partition.isdigit() else None


def _flat(labels: Mapping[str, str]) -> list[str]:
    return [part for pair in labels.items() for part in pair]


def _entry(raw: bytes) -> tuple[int, bytes]:
    at, _, body = raw.partition(b" ")
    return int(at), body


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
