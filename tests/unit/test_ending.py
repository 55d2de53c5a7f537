"""Tasks of the console end, also those that survive being cancelled once."""

from __future__ import annotations

import asyncio

from guardtier_workers.ending import end


async def test_a_task_that_survives_being_cancelled_is_cancelled_again() -> None:
    times = 0

    async def stubborn() -> None:
        nonlocal times
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                times += 1
                if times > 1:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)

    await end([task])

    assert task.cancelled()
    assert times == 2


async def test_what_a_task_ends_with_is_none_of_ours() -> None:
    async def fails() -> None:
        raise ValueError

    await end([asyncio.create_task(fails())])
