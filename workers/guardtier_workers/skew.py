"""Skew: how far this machine's clock is from Redis'. Agents refuse what is signed by one that is off."""

from __future__ import annotations

import asyncio
import logging

from redis.asyncio import RedisCluster

from guardtier.store.connection import AnyRedis
from guardtier_workers.clock import now_ms

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
MOST_SECONDS = 30.0  #: half of what agents let pass (verifying.LEEWAY_SECONDS)


class Skew:
    """Looks at both clocks until :meth:`stop`, and says on the log where they begin and cease to differ."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._stopping = False
        self.seconds = 0.0  #: this machine's clock is so far ahead; negative: behind

    @property
    def is_off(self) -> bool:
        return abs(self.seconds) > MOST_SECONDS

    def stop(self) -> None:
        """End at the next turn; redis-py may turn a cancellation into a TimeoutError."""
        self._stopping = True

    async def watch(self) -> None:
        while not self._stopping:
            try:
                self._saw(await self._server_ms())
            except Exception as error:  # Redis is away: whoever works says so
                log.debug("Redis' clock can't be read: %r", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _server_ms(self) -> int:
        one = {"target_nodes": RedisCluster.RANDOM} if isinstance(self._redis, RedisCluster) else {}
        seconds, micros = await self._redis.execute_command("TIME", **one)
        return int(seconds) * 1000 + int(micros) // 1000

    def _saw(self, server_ms: int) -> None:
        was_off, self.seconds = self.is_off, (now_ms() - server_ms) / 1000
        if self.is_off and not was_off:
            log.error(
                "this machine's clock is %.0f s %s Redis': agents refuse what is signed here "
                "(StaleVerdict) where it is the wrong one: set it",
                abs(self.seconds),
                "ahead of" if self.seconds > 0 else "behind",
            )
        elif was_off and not self.is_off:
            log.warning("this machine's clock agrees with Redis' again")
