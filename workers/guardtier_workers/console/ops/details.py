"""Details: what an audit line does not say and a record does: looked up in batches, never held up by it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from guardtier.action import partition_of
from guardtier.risk import SecurityRisk
from guardtier.store.connection import AnyRedis, is_away
from guardtier.store.keys import Keys

log = logging.getLogger(__name__)

MOST: Final = 50_000  #: ids that wait to be looked up, 300 bytes each; of more, the newest are left out
BATCH: Final = 100
PAUSE_SECONDS: Final = 0.2
AWAY_SECONDS: Final = 1.0  #: between two tries while Redis is away

#: Findings by which an action is held since something failed, and not for what it is.
FAILURES: Final = frozenset({"analysis.failed", "policy.failed", "analyzer.failed", "pool.absent"})


class Detail(NamedTuple):
    """What a record says. ``received`` in milliseconds since 1970; 0 where it is gone."""

    id: str
    event: str
    at: int
    fleet: str
    received: int
    risk: str
    failures: frozenset[str]


class _Asked(NamedTuple):
    id: str
    event: str
    at: int


class Details:
    """Calls ``on_detail`` for each that was asked for. One that can't be read is left out."""

    def __init__(self, redis: AnyRedis, partitions: int, on_detail: Callable[[Detail], None]) -> None:
        self._redis, self._partitions, self._on_detail = redis, partitions, on_detail
        self._asked: deque[_Asked] = deque()
        self._wake = asyncio.Event()
        self._is_full = False

    def ask(self, action_id: str, event: str, at: int) -> None:
        """Look it up soon. It never waits."""
        if len(self._asked) >= MOST:
            if not self._is_full:
                log.warning("the metrics leave actions out: %d wait to be looked up", MOST)
            self._is_full = True
        elif (partition_of(action_id) or 0) < self._partitions:
            self._asked.append(_Asked(action_id, event, at))
            self._wake.set()

    async def run(self) -> None:
        """Look up until cancelled. While Redis is away what was asked waits."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            self._wake.clear()
            while self._asked:
                batch = list(islice(self._asked, BATCH))
                try:
                    await self._look_up(batch)
                except Exception as error:
                    if is_away(error):
                        log.warning("Redis does not answer what the metrics need of records: %r", error)
                        await asyncio.sleep(AWAY_SECONDS)
                        continue
                    log.exception("what the metrics need of records could not be read")
                for _ in batch:
                    self._asked.popleft()
            self._is_full = False

    async def _look_up(self, batch: list[_Asked]) -> None:
        asking = self._redis.pipeline(transaction=False)
        for one in batch:
            key = Keys(partition_of(one.id) or 0).action(one.id)
            asking.hmget(key, ["fleet", "entry", "assessment"])
        found = await asking.execute(raise_on_error=False)
        for said in found:
            if isinstance(said, Exception) and is_away(said):
                raise said
        for one, said in zip(batch, found, strict=True):
            if isinstance(said, list) and all(said):
                self._on_detail(_detail(one, *said))


def _detail(asked: _Asked, fleet: bytes, entry: bytes, assessment: bytes) -> Detail:
    risk, found = _rated(assessment)
    time = entry.partition(b"-")[0]
    return Detail(
        asked.id,
        asked.event,
        asked.at,
        fleet.decode(errors="backslashreplace"),
        int(time) if time.isdigit() else 0,
        risk,
        found & FAILURES,
    )


def _rated(raw: bytes) -> tuple[str, frozenset[str]]:
    """The rating, and the ids of its findings; HIGH where it can't be read, as everywhere."""
    try:
        said: Any = orjson.loads(raw)
        findings = frozenset(str(finding["id"]) for finding in said.get("findings", ()))
        return SecurityRisk(said["risk"]).value, findings
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return SecurityRisk.HIGH.value, frozenset({"analysis.failed"})
