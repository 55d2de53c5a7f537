"""Dead letters: copies of what no worker could handle, page by page. It writes nothing.

A letter is known by its entry and its partition, ``1763741234567-0.3``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from guardtier.errors import ConfigError, UnknownDeadLetter
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import Keys, all_keys

LETTER = r"^[0-9]{1,20}-[0-9]{1,20}\.[0-9]{1,5}$"
READ = 20  #: letters read in one go: each may hold a megabyte
KEPT = 16 * 1024  #: bytes of a payload: of many partitions one after the other, no more is held
LOOKED_AT = 200  #: letters of one partition that one page looks at
_MOST = 2**64 - 1  #: what either number of an entry may be
_NOTHING = "(0-0"  #: before the first entry that may be; Redis refuses to look there
_OUTBOX = "outbox"
_WHY_NOT = {
    "assessed": "its action was parked for a person: it needs an answer, and no other decision",
    "actions": "its action was parked for a person, or its agent was told that it failed",
    "answers": "whoever sent it was told that it failed: it has to be sent again",
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``stream`` is what it was work of: actions, strays, edits, assessed, answers, outbox. ``op`` is what
    was asked there, "" where an older tier kept the copy. ``fleet`` is None where it can't be told (any
    more): then it is for those alone who see every fleet. ``id`` and ``payload`` are untrusted;
    the payload is cut to ``KEPT`` bytes, ``size`` is that of all of it.
    """

    partition: int
    entry: str
    id: str
    why: str
    stream: str
    op: str
    fleet: str | None
    payload: bytes
    size: int = 0

    @property
    def name(self) -> str:
        return f"{self.entry}.{self.partition}"

    @property
    def at(self) -> int:
        """When it was given up: milliseconds since 1970, Redis' clock."""
        return int(self.entry.partition("-")[0])

    @property
    def why_not(self) -> str:
        """Why it can't be tried again; "" where it can."""
        if self.stream == _OUTBOX:
            return "" if self.op else "an older tier kept this copy, and not what was to be done"
        if self.stream == "edits" or self.op == "edited":
            return "its approver was told that the edit came to nothing: it has to be made again"
        return _WHY_NOT.get(
            self.stream, "nobody can be told what came of it: whoever sent it has to ask again"
        )


def read_name(name: str) -> tuple[int, str]:
    """The partition and the entry of a letter. Raises ConfigError where it is no name of one."""
    entry, _, partition = name.rpartition(".")
    if re.fullmatch(LETTER, name) is None or any(int(part) > _MOST for part in entry.split("-")):
        raise ConfigError(f"{name[:60]!r} names no dead letter: guardtier dead list", field="letter")
    return int(partition), entry


@dataclass(frozen=True, slots=True)
class DeadPage:
    """The newest first. ``after`` is where the next page begins; None: there is no more."""

    letters: tuple[DeadLetter, ...]
    after: str | None


class DeadLetters:
    """Reads every partition's."""

    def __init__(self, redis: AnyRedis, partitions: int) -> None:
        self._redis = redis
        self._keys = all_keys(partitions)

    async def get(self, name: str) -> DeadLetter:
        """Raises UnknownDeadLetter, and ConfigError for what is no name of one."""
        partition, entry = read_name(name)
        found = []
        if partition < len(self._keys):
            keys = self._keys[partition]
            found = await self._letters(keys, await self._redis.xrange(keys.dead, entry, entry, count=1))
        if not found:
            raise UnknownDeadLetter(f"no dead letter {name} in your fleets", field="letter")
        return found[0]

    async def count(self) -> int:
        """All of them, of every fleet."""
        return sum([await self._redis.xlen(keys.dead) for keys in self._keys])

    async def page(
        self, shows: Callable[[DeadLetter], bool], *, after: str = "", limit: int = READ
    ) -> DeadPage:
        """Those that are shown, at most ``limit``. It may have fewer, and still not be the last."""
        read = [await self._newest(keys, after, limit) for keys in self._keys]
        # what is older than the last that a partition was looked at for would leave a gap
        ends = [found[-1] for found, is_all in read if found and not is_all]
        floor = max((_order(one) for one in ends), default=(0, 0, 0))
        merged = sorted((one for found, _ in read for one in found), key=_order, reverse=True)
        reached = [one for one in merged if _order(one) >= floor]
        taken, last = [], None
        for one in reached:
            last = one
            if shows(one):
                taken.append(one)
            if len(taken) == limit:
                break
        is_end = last is None or (not ends and last is merged[-1])
        return DeadPage(tuple(taken), None if is_end or last is None else last.name)

    async def _newest(self, keys: Keys, after: str, limit: int) -> tuple[list[DeadLetter], bool]:
        """The newest of one partition that come after the cursor; whether there are no more."""
        most = min(max(limit, READ), LOOKED_AT)
        end = _end(keys, after)
        if end == _NOTHING:
            return [], True
        entries = await self._redis.xrevrange(keys.dead, max=end, count=most)
        return await self._letters(keys, entries), len(entries) < most

    async def _letters(
        self, keys: Keys, entries: list[tuple[bytes, dict[bytes, bytes]]]
    ) -> list[DeadLetter]:
        made = [_letter(keys, entry.decode(), fields or {}) for entry, fields in entries]
        unknown = [one for one in made if one.fleet is None]
        if not unknown:
            return made
        asking = self._redis.pipeline(transaction=False)
        for one in unknown:
            asking.hmget(keys.action(one.id), ["fleet", "entry"])
        said = await asking.execute(raise_on_error=False)
        fleets = {
            one.entry: fleet
            for one, found in zip(unknown, said, strict=True)
            if (fleet := fleet_then(found, one.at)) is not None
        }
        return [replace(one, fleet=fleets.get(one.entry, one.fleet)) for one in made]


def fleet_then(found: Any, at: int) -> str | None:
    """The fleet of an action, by the fields ``fleet`` and ``entry`` of its record; None where the record
    came after ``at`` (ms): once one is gone, any fleet's agent may take its id.
    """
    fleet, entry = found if isinstance(found, list) else (None, None)
    came = (entry or b"").partition(b"-")[0]
    if not fleet or (came.isdigit() and int(came) > at):
        return None
    return str(fleet.decode(errors="backslashreplace"))


def _letter(keys: Keys, entry: str, fields: dict[bytes, bytes]) -> DeadLetter:
    stream, fleet = keys.kind_of(_text(fields, b"stream"))
    return DeadLetter(
        partition=keys.partition,
        entry=entry,
        id=_text(fields, b"id"),
        why=_text(fields, b"why"),
        stream=stream,
        op=_text(fields, b"op"),
        fleet=fleet,
        payload=fields.get(b"payload", b"")[:KEPT],
        size=len(fields.get(b"payload", b"")),
    )


def _end(keys: Keys, after: str) -> str:
    """Where a partition goes on: of the same entry, lower partitions come behind higher ones."""
    if not after:
        return "+"
    partition, entry = read_name(after)
    if keys.partition < partition:
        return entry
    return f"({int(entry.partition('-')[0])}-{int(entry.partition('-')[2])}"


def _order(letter: DeadLetter) -> tuple[int, int, int]:
    ms, _, seq = letter.entry.partition("-")
    return int(ms), int(seq), letter.partition


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode(errors="backslashreplace")
