"""What a lane holds: given up once its handler takes too long, also where that does not listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from guardtier.store.delivery import Delivery
from guardtier_workers.held import Held

AT_ONCE = -1.0  #: seconds: whatever is in work has been so for longer


@pytest.fixture
async def opened() -> AsyncIterator[asyncio.Event]:
    """Lets a deaf handler end, at the end of the test at the latest."""
    event = asyncio.Event()
    yield event
    event.set()


async def deaf(opened: asyncio.Event) -> None:
    while not opened.is_set():
        with suppress(asyncio.CancelledError):
            await opened.wait()


def entry(number: int) -> Delivery:
    return Delivery(0, "actions", "analyzers", f"{number}-0", {}, "web", 1)


def begun(held: Held, number: int, task: asyncio.Task[None]) -> Delivery:
    delivery = entry(number)
    assert held.take(delivery)
    held.begin(delivery, task)
    return delivery


async def test_what_takes_too_long_is_cancelled_and_may_come_again() -> None:
    held, task = Held(2), asyncio.create_task(asyncio.Event().wait())
    first = begun(held, 1, task)  # type: ignore[arg-type]

    assert held.give_up(AT_ONCE) == 1

    with pytest.raises(asyncio.CancelledError):
        await task
    second = entry(1)
    assert held.take(second)
    assert not held.let_go(first)  # the handler that was given up ends behind the next delivery
    assert ("actions", "1-0") in held


async def test_what_only_waits_its_turn_or_gets_on_is_not_given_up() -> None:
    held, task = Held(2), asyncio.create_task(asyncio.Event().wait())
    assert held.take(entry(1))
    gets_on = begun(held, 2, task)  # type: ignore[arg-type]

    held.count_time()
    held.renew(gets_on)

    assert held.give_up(0.0) == 0
    task.cancel()


async def test_where_no_handler_listens_the_worker_is_to_end(opened: asyncio.Event) -> None:
    held = Held(2)
    tasks = [asyncio.create_task(deaf(opened)) for _ in range(2)]
    for number, task in enumerate(tasks):
        begun(held, number, task)
    await asyncio.sleep(0)

    assert held.give_up(AT_ONCE) == 2
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="can't be cancelled"):
        held.give_up(AT_ONCE)

    opened.set()
    await asyncio.wait(tasks)
    assert held.give_up(AT_ONCE) == 0
