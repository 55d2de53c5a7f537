"""The tail: whoever reads by it is told all, whatever fails on the way."""

from __future__ import annotations

from redis.asyncio import Redis

from guardtier.store.tail import Tail
from waiting import until


async def test_a_caller_that_fails_does_not_end_the_reading(redis_url: str) -> None:
    seen: list[str] = []
    back: list[bool] = []

    def on_back() -> None:
        back.append(True)
        if len(back) == 1:
            raise ValueError("the first time")

    tail = Tail(redis_url, "stream", lambda entry, _: seen.append(entry), on_back)
    async with Redis.from_url(redis_url) as redis:
        await tail.start()
        await redis.client_kill_filter(_type="normal", skipme=True)
        await until(lambda: tail.trouble)
        first = await redis.xadd("stream", {"id": "1"})
        await until(lambda: len(back) >= 1)

        second = await redis.xadd("stream", {"id": "2"})

        await until(lambda: seen == [first.decode(), second.decode()])
    await tail.close()
