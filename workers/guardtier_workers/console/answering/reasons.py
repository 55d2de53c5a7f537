"""Reasons: what a visitor has written lately, so that they need not write it again."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from time import monotonic

import orjson

from guardtier.answer import Choice
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import all_keys

OFFERED = 8  #: reasons of each kind
PAGE = 500  #: lines of an audit stream that are read in one go
PAGES = 4  #: of each partition, the newest first
AGAIN_SECONDS = 60.0  #: what was answered elsewhere (the CLI, another console) is looked for so often
MOST_PEOPLE = 1_000  #: whose reasons are kept; whoever asked longest ago goes first

_ANSWERS = frozenset({b"answered", b"approved", b"rejected"})


@dataclass(slots=True)
class _Own:
    """One approver's reasons, the newest first."""

    of: dict[Choice, deque[str]] = field(
        default_factory=lambda: {choice: deque(maxlen=OFFERED) for choice in Choice}
    )
    read: float = float("-inf")

    def put(self, choice: Choice, reason: str) -> None:
        kept = self.of[choice]
        if reason in kept:
            kept.remove(reason)
        kept.appendleft(reason)


class Reasons:
    """By the approver's name: nobody is offered what others wrote."""

    def __init__(self) -> None:
        self._people: OrderedDict[str, _Own] = OrderedDict()

    def gave(self, name: str, choice: Choice, reason: str) -> None:
        """An answer of theirs has counted."""
        if reason.strip():
            self._own(name).put(choice, reason)

    async def of(self, name: str, choice: Choice, redis: AnyRedis, partitions: int) -> list[str]:
        """Up to 8, the newest first; besides this console's own, as far back as 2,000 lines of each audit
        stream go.
        """
        own = self._own(name)
        if monotonic() - own.read > AGAIN_SECONDS:
            own.read = monotonic()
            found: list[tuple[bytes, Choice, str]] = []
            for keys in all_keys(partitions):
                found += await _written_by(name.encode(), keys.audit, redis)
            for _, chosen, reason in sorted(found, key=_when):
                own.put(chosen, reason)
        return list(own.of[choice])

    def _own(self, name: str) -> _Own:
        own = self._people.setdefault(name, _Own())
        self._people.move_to_end(name)
        while len(self._people) > MOST_PEOPLE:
            self._people.popitem(last=False)
        return own


async def _written_by(name: bytes, audit: str, redis: AnyRedis) -> list[tuple[bytes, Choice, str]]:
    found: list[tuple[bytes, Choice, str]] = []
    end = "+"
    for _ in range(PAGES):
        page = await redis.xrevrange(audit, max=end, count=PAGE)
        for entry, fields in page:
            if fields and fields.get(b"by") == name and fields.get(b"event") in _ANSWERS:
                reason = fields.get(b"reason", b"").decode(errors="replace")
                if reason.strip():
                    found.append((entry, _choice(fields), reason))
        if len(page) < PAGE or len(found) >= 2 * OFFERED:
            break
        end = f"({page[-1][0].decode()}"
    return found


def _when(one: tuple[bytes, Choice, str]) -> tuple[int, ...]:
    return tuple(int(part) for part in one[0].split(b"-"))


def _choice(fields: dict[bytes, bytes]) -> Choice:
    """What was chosen, by the details of the line; an edit approves."""
    try:
        return Choice(orjson.loads(fields.get(b"details", b"{}")).get("choice"))
    except (ValueError, AttributeError):
        return Choice.REJECT if fields.get(b"event") == b"rejected" else Choice.APPROVE
