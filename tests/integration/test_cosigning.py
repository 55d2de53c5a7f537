"""The policy workers of one tier sign with keys that its agents were all given, or they don't start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from guardtier.errors import ConfigError
from guardtier.keyfile import Key, read_private
from guardtier.settings import Settings
from guardtier.store.heartbeats import Heartbeat, deciders
from guardtier.store.keys import POLICIES, Keys
from guardtier_workers import consumer, cosigning
from guardtier_workers.cli.stack import Plan, stack
from guardtier_workers.cli.state import StateDir
from guardtier_workers.policy import PolicyWorker
from sealed import KeyFolder, ago
from tier import Running, StartTier, Tier, low
from waiting import until


def keys_in(folder: Path, *keys: Key) -> KeyFolder:
    folder.mkdir()
    return KeyFolder(folder, *keys)


@pytest.fixture
def ours(tmp_path: Path) -> KeyFolder:
    return keys_in(tmp_path / "ours")


@pytest.fixture
async def tier(start_tier: StartTier, ours: KeyFolder) -> Tier:
    return await start_tier(signing_key_file=ours.private)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for before a worker refuses to start."""
    monkeypatch.setattr(cosigning, "PATIENCE_SECONDS", 0.0)


def beside(tier: Tier, keys: Path | None) -> Settings:
    return tier.settings.model_copy(update={"signing_key_file": keys})


async def joins(tier: Tier, keys: Path | None) -> None:
    """Start a worker that is to be refused."""
    await Running(PolicyWorker(beside(tier, keys))).ready()


@pytest.mark.usefixtures("at_once")
async def test_a_worker_with_keys_of_its_own_does_not_join(
    tier: Tier, ours: KeyFolder, tmp_path: Path
) -> None:
    theirs = keys_in(tmp_path / "theirs")

    with pytest.raises(ConfigError, match="signing_key_file") as refused:
        await joins(tier, theirs.private)

    assert refused.value.field == "signing_key_file"
    assert ours.keys[0].id in refused.value.message
    assert theirs.keys[0].id in refused.value.message
    assert len(await deciders(tier.redis)) == 1
    assert (await tier.client(verdict_keys=ours.public).check(low())).seal.startswith(ours.keys[0].id)


@pytest.mark.usefixtures("at_once")
async def test_up_with_keys_of_its_own_does_not_start_beside_a_tier(
    tier: Tier, ours: KeyFolder, tmp_path: Path
) -> None:
    state = StateDir(tmp_path / "state")

    with pytest.raises(ConfigError, match="signing_key_file") as refused:
        async with stack(Plan(redis_url=tier.url, console=False), state):
            pass

    its_own = read_private(state.signing_file)[0].id
    assert its_own in refused.value.message
    assert ours.keys[0].id in refused.value.message
    assert state.running() is None


@pytest.mark.usefixtures("at_once")
async def test_a_worker_without_keys_does_not_join_a_tier_that_signs(tier: Tier, ours: KeyFolder) -> None:
    with pytest.raises(ConfigError, match=f"signs with {ours.keys[0].id}"):
        await joins(tier, None)


@pytest.mark.usefixtures("at_once")
async def test_signing_is_turned_on_worker_by_worker(start_tier: StartTier, ours: KeyFolder) -> None:
    tier = await start_tier()

    await tier.run(PolicyWorker(beside(tier, ours.private)))

    assert sorted(one.signs for one in await deciders(tier.redis)) == ["", ours.keys[0].id]


@pytest.mark.usefixtures("at_once")
async def test_one_key_in_common_is_enough(tier: Tier, ours: KeyFolder, tmp_path: Path) -> None:
    """A copy of the file that was rotated and has not come everywhere yet."""
    rotated = keys_in(tmp_path / "rotated", *ours.keys, Key.new(since=ago(hours=-1)))

    await tier.run(PolicyWorker(beside(tier, rotated.private)))

    assert {one.keys for one in await deciders(tier.redis)} == {
        tuple(key.id for key in ours.keys),
        tuple(key.id for key in rotated.keys),
    }


async def test_a_revoked_key_needs_no_restart_and_keeps_no_worker_away(tier: Tier, ours: KeyFolder) -> None:
    ours.keys = [Key.new()]
    ours.write()

    await tier.run(PolicyWorker(beside(tier, ours.private)))  # at once: the other one has yet to notice

    async def agreed() -> bool:
        return {one.signs for one in await deciders(tier.redis)} == {ours.keys[0].id}

    await until(agreed)


@pytest.mark.usefixtures("at_once")
async def test_of_two_that_start_at_once_one_at_most_stays(start_tier: StartTier, tmp_path: Path) -> None:
    tier = await start_tier(policies=0)
    started = [
        Running(PolicyWorker(beside(tier, keys_in(tmp_path / str(number)).private))) for number in range(4)
    ]

    done: list[Any] = await asyncio.gather(*(one.ready() for one in started), return_exceptions=True)

    stay = [one for one in done if isinstance(one, Running)]
    assert len(stay) <= 1
    assert all(isinstance(one, ConfigError) for one in done if one not in stay)
    assert len(await deciders(tier.redis)) == len(stay), "who does not start does not say that it lives"
    for one in stay:
        await one.stop()


async def test_who_starts_says_that_it_lives_for_as_long_as_it_looks(
    start_tier: StartTier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that are both silent for a while are both let in, if they look in the same moment."""
    monkeypatch.setattr(consumer, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(cosigning, "PATIENCE_SECONDS", 2.0)
    tier = await start_tier(policies=0)
    started = [
        Running(PolicyWorker(beside(tier, keys_in(tmp_path / str(number)).private))) for number in range(2)
    ]

    ready = asyncio.gather(*(one.ready() for one in started), return_exceptions=True)
    left: dict[bytes, int] = {}
    prolonged = set()
    while not ready.done():
        for key in await tier.redis.keys(Keys(0).alive(POLICIES, "*")):
            ttl = await tier.redis.pttl(key)
            if ttl > left.get(key, ttl):
                prolonged.add(key)
            left[key] = ttl
    for one in await ready:
        if isinstance(one, Running):
            await one.stop()

    assert len(prolonged) == 2


def test_what_a_stranger_writes_as_keys_is_no_key() -> None:
    for said in (b'{"keys":["x"]}', b'{"keys":7}', b'{"keys":["%b"]}' % (b"a" * 4000)):
        assert Heartbeat.read("w", "policies", said, 1).keys is None
