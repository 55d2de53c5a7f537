"""The scripts of a conversation's history: what is kept, what is bounded, what counts twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from guardtier.store.histories import (
    MAX_DOWNLOADS,
    MAX_SECRETS,
    Histories,
    Keep,
    Past,
    Remark,
)
from guardtier.store.keys import HistoryKeys

KEYS = HistoryKeys("web")


class Notebook:
    """Histories with few words: one fleet, one agent, conversation ``c-1`` unless told."""

    def __init__(self, redis: Redis, keep: Keep | None = None) -> None:
        self.redis = redis
        self.histories = Histories(redis, keep)

    async def write(
        self,
        name: str,
        *,
        conversation: str = "c-1",
        agent: str = "a-1",
        labels: dict[str, str] | None = None,
        downloads: tuple[str, ...] = (),
        runs: tuple[str, ...] = (),
    ) -> Past:
        remark = Remark(name, orjson.dumps({"id": name, "digest": "d"}), labels or {}, downloads, runs)
        return await self.histories.remember("web", conversation, agent, remark)

    async def size(self) -> int:
        return sum([await self.redis.memory_usage(key) or 0 for key in KEYS.all_of("c-1")])


@pytest.fixture
async def notebook(any_redis_url: str) -> AsyncIterator[Notebook]:
    async with Redis.from_url(any_redis_url) as redis:
        made = Notebook(redis)
        yield made
        await made.histories.close()


async def test_what_stood_before_is_returned_the_newest_first(notebook: Notebook) -> None:
    minute = (await notebook.redis.time())[0] // 60
    first = await notebook.write("a.0", labels={"secret.read": "reads ~/.netrc"})
    await notebook.write("b.0")
    third = await notebook.write("c.0")

    assert (first.state, first.total, first.labels, first.entries) == ("new", 1, {}, ())
    assert (third.state, third.total) == ("known", 3)
    assert third.this_minute == 3 or (await notebook.redis.time())[0] // 60 != minute  # it ended meanwhile
    assert [orjson.loads(body)["id"] for _, body in third.entries] == ["b.0", "a.0"]
    assert (third.labels["secret.read"].id, third.labels["secret.read"].words) == ("a.0", "reads ~/.netrc")


async def test_a_second_delivery_counts_once(notebook: Notebook) -> None:
    await notebook.write("a.0")
    first = await notebook.write("b.0", labels={"network.send": "x"}, downloads=("k1",))
    await notebook.write("c.0")
    before = await notebook.redis.hgetall(KEYS.history("c-1"))

    again = await notebook.write("b.0", labels={"network.send": "x"}, downloads=("k1",))

    assert first.total == 2
    assert again.total == 3
    assert await notebook.redis.hgetall(KEYS.history("c-1")) == before
    assert await notebook.redis.llen(KEYS.entries("c-1")) == 3


async def test_an_id_that_is_used_for_another_action_is_another_action(notebook: Notebook) -> None:
    await notebook.write("a.0")

    remark = Remark("a.0", orjson.dumps({"id": "a.0", "digest": "other"}), {"secret.read": "reads it"})
    await notebook.histories.remember("web", "c-1", "a-1", remark)

    assert "secret.read" in (await notebook.write("b.0")).labels


async def test_a_label_only_grows_and_keeps_who_set_it_first(notebook: Notebook) -> None:
    await notebook.write("a.0", labels={"download": "fetches one"})
    await notebook.write("b.0", labels={"download": "fetches two"})

    mark = (await notebook.write("c.0")).labels["download"]

    assert (mark.id, mark.words, mark.how) == ("a.0", "fetches one", "asked")
    assert mark.last_at >= mark.first_at


async def test_a_history_that_is_gone_is_lost_and_a_conversation_that_never_was_is_new(
    notebook: Notebook,
) -> None:
    await notebook.write("a.0")
    await notebook.redis.delete(KEYS.history("c-1"))

    assert (await notebook.write("b.0")).state == "lost"
    assert (await notebook.write("c.0")).labels["history.lost"].id == "b.0"
    assert (await notebook.write("d.0", conversation="c-2")).state == "new"


@pytest.mark.parametrize("key", [KEYS.entries("c-1"), KEYS.found("c-1")])
async def test_a_part_that_is_gone_is_a_lost_history_as_well(notebook: Notebook, key: str) -> None:
    await notebook.write("a.0", downloads=("k",))
    await notebook.redis.delete(key)

    assert (await notebook.write("b.0")).state == "lost"


async def test_an_agent_s_labels_are_inherited_by_its_next_conversation_alone(notebook: Notebook) -> None:
    await notebook.write("a.0", labels={"secret.read": "reads it"})

    mine = await notebook.write("b.0", conversation="c-2")
    other = await notebook.write("c.0", conversation="c-3", agent="a-2")

    assert mine.labels["secret.read"].id == "a.0"
    assert other.labels == {}


async def test_an_agent_s_labels_are_inherited_for_a_while(any_redis_url: str) -> None:
    async with Redis.from_url(any_redis_url) as redis:
        notebook = Notebook(redis, Keep(inherit_ms=0))
        await notebook.write("a.0", labels={"secret.read": "reads it"})
        await redis.hset(KEYS.agent("a-1"), "l:secret.read", "1 1 a.0 asked reads it")

        assert (await notebook.write("b.0", conversation="c-2")).labels == {}
        await notebook.histories.close()


async def test_an_outcome_is_written_into_the_history(notebook: Notebook) -> None:
    await notebook.write("a.0")
    told = {"labels": {"secret.seen": "a key"}, "secrets": [f"f{n}" for n in range(MAX_SECRETS + 50)]}

    assert await notebook.histories.observed("web", "c-1", "a-1", "a.0", **told)
    assert await notebook.histories.observed("web", "c-1", "a-1", "a.0", **told)
    assert not await notebook.histories.observed("web", "c-9", "a-1", "a.0", **told)

    past = await notebook.write("b.0")
    assert past.labels["secret.seen"].how == "observed"
    assert past.secrets == MAX_SECRETS
    assert list(await notebook.histories.read_before("web", "c-1", ["f1", "never"])) == ["f1"]


async def test_downloads_are_bounded_and_it_is_said_so(notebook: Notebook) -> None:
    for number in range(MAX_DOWNLOADS // 64 + 1):
        await notebook.write(f"a{number}.0", downloads=tuple(f"k{number}-{n}" for n in range(64)))

    past = await notebook.write("z.0", runs=("k0-7", "never"))

    assert list(past.downloads) == ["k0-7"]
    assert past.downloads["k0-7"].id == "a0.0"
    assert past.downloads_full
    assert await notebook.redis.hlen(KEYS.found("c-1")) == MAX_DOWNLOADS


async def test_a_long_conversation_takes_no_more_room_than_a_short_one(notebook: Notebook) -> None:
    labels = {"code.run": "runs code", "untrusted.in": "fetches https://x.example"}
    for number in range(100):
        await notebook.write(f"{number:06}.0", labels=labels)
    short = await notebook.size()

    for number in range(100, 5_000):
        await notebook.write(f"{number:06}.0", labels=labels)

    assert await notebook.size() < short * 1.1
    assert (await notebook.write("z.0")).total == 5_001
    assert len((await notebook.write("y.0")).entries) == 32


async def test_a_history_ends_after_its_time(notebook: Notebook) -> None:
    await notebook.write("a.0")

    for key in (KEYS.history("c-1"), KEYS.entries("c-1")):
        assert 0 < await notebook.redis.pttl(key) <= Keep().history_ms


async def test_the_longest_unused_history_makes_room(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardtier.store.histories.MAX_HISTORIES", 3)
    for number in range(5):
        await notebook.write(f"{number}.0", conversation=f"c-{number}")

    assert (await notebook.write("x.0", conversation="c-0")).state == "lost"
    assert (await notebook.write("y.0", conversation="c-4")).state == "known"


async def test_a_history_that_comes_back_makes_room_as_a_new_one_does(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardtier.store.histories.MAX_HISTORIES", 3)
    for turn in range(3):
        for number in range(8):
            await notebook.write(f"{turn}-{number}.0", conversation=f"c-{number}")
            await asyncio.sleep(0.002)  # "used longest ago" is told in milliseconds

    await notebook.write("z.0", conversation="c-7")  # it is sent behind the last one that made room
    assert len(await notebook.redis.keys(KEYS.history("*"))) == 3


async def test_what_is_inherited_by_nobody_is_not_kept(any_redis_url: str) -> None:
    async with Redis.from_url(any_redis_url) as redis:
        notebook = Notebook(redis, Keep(inherit_ms=0))
        await notebook.write("a.0", labels={"secret.read": "reads it"})
        await notebook.histories.observed("web", "c-1", "a-1", "a.0", labels={"secret.seen": "a key"})

        assert not await redis.exists(KEYS.agent("a-1"))
        await notebook.histories.close()


async def test_a_loss_is_met_once(notebook: Notebook) -> None:
    await notebook.write("a.0", downloads=("k",))
    await notebook.redis.delete(KEYS.found("c-1"))

    states = [(await notebook.write(name)).state for name in ("b.0", "c.0")]

    assert states == ["lost", "known"]


async def test_an_outcome_without_a_history_is_kept_and_the_next_action_meets_a_loss(
    notebook: Notebook,
) -> None:
    told = {"labels": {"secret.seen": "a key"}, "secrets": ["f1"]}
    assert not await notebook.histories.observed("web", "c-1", "a-1", "a.0", **told)

    past = await notebook.write("b.0")

    assert past.state == "lost"
    assert past.labels["secret.seen"].id == "a.0"
    assert list(await notebook.histories.read_before("web", "c-1", ["f1"])) == ["f1"]
    for key in await notebook.redis.keys("gt:*"):
        assert await notebook.redis.pttl(key) > 0 or key == KEYS.seen.encode()


async def test_more_secrets_than_are_kept_are_told(notebook: Notebook) -> None:
    await notebook.write("a.0")
    prints = [f"f{n}" for n in range(MAX_SECRETS + 1)]

    await notebook.histories.observed("web", "c-1", "a-1", "a.0", labels={}, secrets=prints[:-1])
    assert not (await notebook.write("b.0")).secrets_full
    await notebook.histories.observed("web", "c-1", "a-1", "b.0", labels={}, secrets=prints[-1:])
    assert (await notebook.write("c.0")).secrets_full


async def test_an_outcome_does_not_hide_that_something_is_gone(notebook: Notebook) -> None:
    await notebook.write("a.0", downloads=("k",))
    await notebook.redis.delete(KEYS.found("c-1"))
    await notebook.histories.observed("web", "c-1", "a-1", "a.0", labels={}, secrets=["f1"])

    past = [await notebook.write(name) for name in ("b.0", "c.0")]

    assert [one.state for one in past] == ["lost", "known"]
    assert past[1].secrets == 1
