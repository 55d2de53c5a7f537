"""A policy file that is set at run time counts at once, everywhere; what can't be read parks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guardtier import State
from guardtier.errors import ConfigError, WrongState
from guardtier.policy import AlwaysConfirm, NeverConfirm
from guardtier.policy.standing import UNREADABLE, digest_of_file
from guardtier.store.keys import Keys, partition_for
from guardtier_workers.policy import PolicyWorker
from tier import StartTier, Tier, high, low

KEYS = Keys(0)

PARKS_LS = """
version = 1
[[rule]]
name = "no-ls"
outcome = "park"
tool = "terminal"
risk = "LOW"
"""

REJECTS = """
version = 1
[[rule]]
name = "never"
outcome = "reject"
agent = "agent-*"
reason = "not here"
"""

NOTHING = "version = 1\n"


# -- what is set counts --------------------------------------------------------------------------


async def test_a_file_counts_for_the_next_action_and_is_recorded(tier: Tier) -> None:
    client, operator = tier.client(), tier.operator()
    assert (await client.submit(low())).state is State.RELEASED

    (first,) = await operator.set_policy_file(PARKS_LS)
    parked = await client.submit(low())
    await operator.set_policy_file(REJECTS)
    rejected = await client.submit(low())

    assert (first.changed, first.digest) == (True, digest_of_file(PARKS_LS.encode()))
    assert parked.is_waiting
    assert (await tier.record(parked.id)).policy == "file@1"
    assert rejected.verdict is not None
    assert (rejected.verdict.policy, rejected.verdict.rules) == ("file@2", ("never",))
    assert rejected.verdict.reason == "not here"
    lines = [line for line in await tier.audit() if line["event"] == "configured"]
    assert [(line["fleet"], line["by"], line["was"], line["policy"]) for line in lines] == [
        ("*", "olga", "settings", "file@1"),
        ("*", "olga", "file@1", "file@2"),
    ]
    assert lines[1]["digest"] == digest_of_file(REJECTS.encode())


async def test_a_file_replaces_only_what_its_author_has_seen(tier: Tier) -> None:
    olga, omar = tier.operator(), tier.operator("omar")
    seen = (await olga.policy_file())[0].digest
    (theirs,) = await omar.set_policy_file(PARKS_LS, replaces=seen)

    with pytest.raises(WrongState, match="omar has set file@1"):
        await olga.set_policy_file(REJECTS, replaces=seen)
    with pytest.raises(WrongState, match="omar has set file@1"):
        await olga.reset_policy_file(replaces=seen)
    (again,) = await omar.set_policy_file(PARKS_LS, replaces=seen)
    (mine,) = await olga.set_policy_file(REJECTS, replaces=theirs.digest)

    assert (again.changed, mine.changed) == (False, True)


async def test_where_no_rule_matches_the_fleets_own_policy_counts(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    file = PARKS_LS.replace("version = 1", 'version = 1\nfleet.ops.policy = {kind = "never_confirm"}', 1)
    operator = tier.operator()
    await operator.set_policy_file(file)

    by_settings = await tier.client().submit(high())
    by_file = await tier.client("ops").submit(high(fleet="ops"))
    await operator.set_policy("ops", AlwaysConfirm())
    set_at_run_time = await tier.client("ops").submit(high(fleet="ops"))

    assert (await tier.record(by_settings.id)).policy == "confirm_risky:HIGH+unknown, file@1"
    assert by_file.verdict is not None
    assert by_file.verdict.policy == "never_confirm, file@1"
    assert (await tier.record(set_at_run_time.id)).policy == "always_confirm@1, file@1"


async def test_rules_come_before_what_was_set_for_a_fleet(tier: Tier) -> None:
    await tier.operator().set_policy("web", NeverConfirm())
    await tier.operator().set_policy_file(PARKS_LS)

    assert (await tier.client().submit(low())).is_waiting
    assert (await tier.client().submit(high())).state is State.RELEASED


async def test_every_policy_worker_decides_under_it_at_once(start_tier: StartTier) -> None:
    tier = await start_tier(policies=4, concurrency=1)
    client, operator = tier.client(), tier.operator()
    await asyncio.gather(*(client.submit(low()) for _ in range(40)))

    for file, waits in ((PARKS_LS, True), (NOTHING, False), (PARKS_LS, True)):
        await operator.set_policy_file(file)
        found = await asyncio.gather(*(client.submit(low()) for _ in range(40)))
        assert {status.is_waiting for status in found} == {waits}


async def test_it_stands_after_a_restart_of_the_workers(tier: Tier) -> None:
    await tier.operator().set_policy_file(PARKS_LS)
    for running in tier.workers:
        if isinstance(running.worker, PolicyWorker):
            await running.stop()
    tier.workers = [running for running in tier.workers if not running.task.done()]
    await tier.policy()

    assert (await tier.client().submit(low())).is_waiting


async def test_setting_what_stands_sends_nothing(tier: Tier) -> None:
    operator = tier.operator()
    await operator.set_policy_file(PARKS_LS)

    (again,) = await operator.set_policy_file(PARKS_LS)

    assert not again.changed
    assert again.standing is not None
    assert again.standing.version == 1


async def test_it_is_set_in_every_partition(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)

    found = await tier.operator().set_policy_file(PARKS_LS)

    assert [part.digest for part in found] == [digest_of_file(PARKS_LS.encode())] * 2
    for partition in (0, 1):
        name = next(f"c-{n}" for n in range(100) if partition_for(f"c-{n}", 2) == partition)
        assert (await tier.client(client_id=name).submit(low())).is_waiting


# -- the settings' file --------------------------------------------------------------------------


async def test_the_settings_file_counts_until_one_is_set_and_after_a_reset(
    start_tier: StartTier, tmp_path: Path
) -> None:
    own = tmp_path / "policy.toml"
    own.write_text(PARKS_LS)
    tier = await start_tier(policy_file=own)
    client, operator = tier.client(), tier.operator()

    before = await client.submit(low())
    await operator.set_policy_file(NOTHING)
    meanwhile = await client.submit(low())
    (reset,) = await operator.reset_policy_file()
    after = await client.submit(low())

    label = f"file:{digest_of_file(PARKS_LS.encode())[:12]}"
    assert (await tier.record(before.id)).policy == label
    assert meanwhile.state is State.RELEASED
    assert (await tier.record(after.id)).policy == label
    assert (reset.digest, reset.standing and reset.standing.version) == (None, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(None, id="there is none"),
        pytest.param("version = 2", id="another version"),
        pytest.param("version = 1\nrules = []", id="an unknown key"),
        pytest.param(
            PARKS_LS + '[[test]]\nname = "t"\naction = {fleet = "web", tool_name = "terminal"}\n'
            'risk = "LOW"\nexpect = "release"\n',
            id="a test that fails",
        ),
        pytest.param(
            PARKS_LS + '[rule.terms]\nnotify = ["nobody"]\n',
            id="an unknown channel",
        ),
    ],
)
async def test_a_broken_settings_file_keeps_a_worker_from_starting(
    start_tier: StartTier, tmp_path: Path, wrong: str | None
) -> None:
    own = tmp_path / "policy.toml"
    if wrong is not None:
        own.write_text(wrong)
    tier = await start_tier(policies=0, policy_file=own)

    with pytest.raises(ConfigError, match=r"policy_file: .*policy\.toml") as said:
        await tier.policy()

    assert said.value.field == "policy_file"


# -- what can't be read parks --------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [b"{}", b"!", b"\xff", b'{"version":1,"digest":"x","by":"a","at":1,"request":"a.0"}', b"x" * 5000],
    ids=lambda raw: repr(raw[:30]),
)
async def test_a_pointer_that_can_not_be_read_parks_everything(tier: Tier, garbage: bytes) -> None:
    await tier.redis.hset(KEYS.policies, "*", garbage)

    parked = await tier.client().submit(low())

    assert parked.is_waiting
    assert (await tier.record(parked.id)).policy == UNREADABLE
    (found,) = await tier.operator().policy_file()
    assert not found.readable
    await tier.operator().set_policy_file(NOTHING)
    assert (await tier.client().submit(low())).state is State.RELEASED


async def test_a_text_of_another_type_parks(tier: Tier) -> None:
    await tier.operator().set_policy_file(NOTHING)
    key = KEYS.policy_text(digest_of_file(NOTHING.encode()))
    await tier.redis.delete(key)
    await tier.redis.lpush(key, "x")

    parked = await tier.client().submit(low())

    assert (await tier.record(parked.id)).policy == UNREADABLE


@pytest.mark.parametrize("text", [None, b"", b"version = 1\n#", b"x" * 300_000])
async def test_a_text_that_is_gone_or_changed_parks_until_it_is_set_again(
    start_tier: StartTier, text: bytes | None
) -> None:
    tier = await start_tier(policies=0)
    await tier.policy()
    operator = tier.operator()
    await operator.set_policy_file(NOTHING)
    key = KEYS.policy_text(digest_of_file(NOTHING.encode()))
    await (tier.redis.delete(key) if text is None else tier.redis.set(key, text))

    parked = await tier.client().submit(low())
    assert (await tier.record(parked.id)).policy == UNREADABLE

    assert (await operator.set_policy_file(NOTHING))[0].changed
    assert (await tier.client().submit(low())).state is State.RELEASED
