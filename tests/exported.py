"""Exported: audit lines that a desk wrote, and what an export of them tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from desk import Desk
from guardtier.store.exports import Exported
from guardtier.store.keys import Keys, all_keys
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.verify import TrailCheck, lines_of

Begun = Callable[[Path], Awaitable[Exporter]]

FIRST, OTHER = all_keys(2)


async def wrote(desk: Desk, count: int, keys: Keys = FIRST) -> None:
    for _ in range(count):
        if keys is FIRST:
            await desk.assess(desk.action())
        else:
            await desk.redis.xadd(keys.audit, {"id": "a.1", "event": "x"})


async def spoil(desk: Desk, keys: Keys = FIRST) -> None:
    await desk.redis.delete(keys.exported)
    await desk.redis.rpush(keys.exported, "x")  # type: ignore[misc]


async def position(desk: Desk, exporter: Exporter, keys: Keys = FIRST) -> Exported | None:
    kept = await desk.redis.hget(keys.exported, exporter.state["export"])  # type: ignore[misc]
    return Exported.read(kept) if kept else None


def exported(path: Path, partition: int) -> int:
    check, count = TrailCheck(), 0
    for raw in lines_of(path):
        entry, _ = check.line(raw)
        count += entry is not None and entry.partition == partition
    return count


def found(path: Path) -> list[str]:
    check = TrailCheck()
    return [one.what for raw in lines_of(path) for one in check.line(raw)[1]] + [
        one.what for one in check.end()
    ]
