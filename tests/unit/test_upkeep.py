"""Upkeep and Records where no script is involved, on fakeredis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakeredis import FakeAsyncRedis

from guardtier.errors import ConfigError, InvalidAction, UnknownAction
from guardtier.store.keys import Keys, all_keys
from guardtier.store.records import Records
from guardtier.store.upkeep import Upkeep


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    async with FakeAsyncRedis() as redis:
        yield redis


async def test_a_fleet_has_a_stream_in_every_partition(redis: FakeAsyncRedis) -> None:
    await Upkeep(redis, 3).prepare(["web", "data"])

    for keys in all_keys(3):
        assert await Upkeep(redis, 3).fleets(keys.partition) == ["data", "web"]
        assert await redis.exists(keys.actions("web"), keys.actions("data")) == 2


async def test_preparing_twice_changes_nothing(redis: FakeAsyncRedis) -> None:
    for _ in range(2):
        await Upkeep(redis, 1).prepare(["web"])

    assert len(await redis.xinfo_groups(Keys(0).actions("web"))) == 1


async def test_workers_must_agree_on_the_number_of_partitions(redis: FakeAsyncRedis) -> None:
    await Upkeep(redis, 2).prepare([])

    with pytest.raises(ConfigError) as refused:
        await Upkeep(redis, 3).prepare([])
    assert (refused.value.field, refused.value.limit) == ("partitions", 2)


async def test_what_falls_due_is_listed_the_oldest_first(redis: FakeAsyncRedis) -> None:
    await redis.zadd(Keys(0).parked, {"c.0": 300, "a.0": 100, "b.0": 200})

    assert await Records(redis, 1).due(0, now_ms=200, limit=10) == ["a.0", "b.0"]
    assert await Records(redis, 1).count() == 3


@pytest.mark.parametrize(
    ("action_id", "error"), [("a.0", UnknownAction), ("a.7", InvalidAction), ("a", InvalidAction)]
)
async def test_an_id_without_a_record(
    redis: FakeAsyncRedis, action_id: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await Records(redis, 1).get(action_id)
