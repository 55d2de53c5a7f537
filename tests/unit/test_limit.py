"""The time limits of a client's calls: each ends at its own time, by one timer of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from guardtier.errors import GuardTimeout, TierUnavailable
from guardtier.limit import Limit, Limits

Run = Callable[[Callable[[], Awaitable[None]]], None]


class Client:
    """As much of one as a limit knows."""

    def __init__(self, trouble: str | None = None) -> None:
        self.limits = Limits()
        self.trouble = trouble


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def by(test: Callable[[], Awaitable[None]]) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(test())

    return by


async def late(client: Client, seconds: float, ended: list[float]) -> None:
    """A call that is never answered."""
    with pytest.raises(GuardTimeout, match=rf"within {seconds:g} s"):
        async with Limit(client, "a.0", seconds):
            await asyncio.Event().wait()
    ended.append(seconds)


def test_each_call_ends_at_its_own_time(run: Run) -> None:
    """Whichever began first; and one that is over does not keep the others from theirs."""

    async def test() -> None:
        client, ended = Client(), []

        async with Limit(client, "a.0", 60):
            slow = asyncio.create_task(late(client, 3600, ended))
            await asyncio.gather(*(late(client, seconds, ended) for seconds in (0.1, 0.05, 0, 0.0004)))
            assert sorted(ended) == [0, 0.0004, 0.05, 0.1]
            await late(client, 0.01, ended)

        assert ended[4:] == [0.01]
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)

    run(test)


def test_who_is_done_in_time_is_left_alone(run: Run) -> None:
    async def test() -> None:
        client, ended = Client(), []
        async with Limit(client, "a.0", 0.01):
            pass
        async with Limit(client, "a.0", None):
            await late(client, 0.05, ended)

        assert ended == [0.05]
        client.limits.close()

    run(test)


def test_a_cancellation_stays_one(run: Run) -> None:
    async def test() -> None:
        client = Client()

        async def call() -> None:
            async with Limit(client, "a.0", 60):
                await asyncio.Event().wait()

        calling = asyncio.create_task(call())
        await asyncio.sleep(0)
        calling.cancel()

        with pytest.raises(asyncio.CancelledError):
            await calling
        await late(client, 0.01, [])

    run(test)


def test_trouble_is_told(run: Run) -> None:
    async def test() -> None:
        with pytest.raises(TierUnavailable, match=r"within 0\.01 s: ConnectionError"):
            async with Limit(Client("ConnectionError: refused"), "a.0", 0.01):
                await asyncio.Event().wait()

    run(test)


def test_what_another_loop_left_keeps_no_limit_from_its_end() -> None:
    """The timer that was set there never fires."""
    client = Client()

    async def once() -> None:
        async with Limit(client, "a.0", 0.02):
            pass

    asyncio.run(once())
    asyncio.run(asyncio.wait_for(late(client, 0.05, []), 30))


def test_ten_thousand_calls_have_one_timer() -> None:
    class Loop(asyncio.SelectorEventLoop):
        timers = 0

        def call_at(self, *args: object, **more: object) -> asyncio.TimerHandle:
            self.timers += 1
            return super().call_at(*args, **more)  # type: ignore[arg-type]

    async def test() -> None:
        client = Client()
        for _ in range(10_000):
            async with Limit(client, "a.0", 60):
                pass
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        assert loop.timers == 1
        client.limits.close()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(test())
