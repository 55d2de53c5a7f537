"""A policy file at run time: for the next action, on every worker; refused where it is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from desk import Desk
from guardtier import State
from guardtier.errors import ConfigError, NotAuthorized, WrongState
from guardtier.policy import AlwaysConfirm, NeverConfirm
from guardtier.policy.file import MAX_BYTES
from guardtier.policy.standing import MAX_FILE, UNREADABLE, digest_of_file
from guardtier.store.keys import POLICIES, Keys, partition_for
from guardtier.store.records import MAX_TEXT
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


# -- what is wrong is refused --------------------------------------------------------------------


WRONG = {
    "an unknown key": ("version = 1\nrules = []", "rule"),
    "no TOML": ("version =", "TOML"),
    "a test that fails": (
        PARKS_LS + '[[test]]\nname = "ls"\naction = {fleet = "web", tool_name = "terminal"}\n'
        'risk = "LOW"\nexpect = "release"\n',
        "1 of its tests fail: 'ls'",
    ),
    "an unknown channel": (PARKS_LS + '[rule.terms]\nnotify = ["nobody"]\n', "nobody"),
    "more approvals than people": (PARKS_LS + "[rule.terms]\napprove = 3\n", "wants 3 to approve"),
    "a role that nobody has": (PARKS_LS + '[rule.terms]\nroles = ["dba"]\n', "with the role dba"),
    "a role that nobody of the fleet has": (
        NOTHING + '[fleet.web.terms]\nroles = ["dba"]\n',
        "fleet.web wants 1",
    ),
}


@pytest.mark.parametrize("how", WRONG)
async def test_a_wrong_file_is_refused_and_changes_nothing(tier: Tier, how: str) -> None:
    text, told = WRONG[how]
    operator = tier.operator()

    with pytest.raises(ConfigError, match=told):
        await operator.set_policy_file(text)

    assert await tier.redis.hgetall(KEYS.policies) == {}
    assert await tier.redis.keys("gt:*policytext*") == []
    assert (await tier.client().submit(low())).state is State.RELEASED


async def test_a_channel_that_the_settings_know_is_accepted(start_tier: StartTier) -> None:
    oncall = {"kind": "webhook", "url": "https://hooks.example/x", "secret": "s" * 32}
    tier = await start_tier(channel={"oncall": oncall})

    done = await tier.operator().set_policy_file(PARKS_LS + '[rule.terms]\nnotify = ["oncall"]\n')

    assert done[0].changed


async def test_a_file_that_is_too_long_is_refused_before_it_is_sent(tier: Tier) -> None:
    assert MAX_FILE == MAX_BYTES == MAX_TEXT

    with pytest.raises(ConfigError) as told:
        await tier.operator().set_policy_file(NOTHING + "#" * MAX_FILE)

    assert told.value.limit == MAX_FILE
    largest = NOTHING + "#" * (MAX_FILE - len(NOTHING))
    assert (await tier.operator().set_policy_file(largest))[0].changed
    assert (await tier.client().submit(low())).state is State.RELEASED


async def test_tests_that_must_be_rated_are_left_to_whoever_sets_it(tier: Tier) -> None:
    """A policy worker loads nothing that rates; ``guardtier policy set`` has run these."""
    test = '[[test]]\nname = "t"\naction = {fleet = "web", tool_name = "terminal"}\nexpect = "release"\n'

    assert (await tier.operator().set_policy_file(PARKS_LS + test))[0].changed


async def test_two_tokens_of_one_person_are_no_quorum(tier: Tier) -> None:
    two = PARKS_LS + "[rule.terms]\napprove = 2\n"
    operator = tier.operator()
    with pytest.raises(ConfigError, match="the approvers file has 1"):
        await operator.set_policy_file(two)

    tier.approver("bert")

    assert (await operator.set_policy_file(two))[0].changed


# -- who may -------------------------------------------------------------------------------------


async def test_only_who_may_configure_every_fleet_sets_a_file(tier: Tier) -> None:
    for approver in (tier.approver(), tier.operator("wendy", fleets=["web"])):
        with pytest.raises(NotAuthorized, match="every fleet") as told:
            await approver.set_policy_file(NOTHING)
        assert told.value.field == "may"

    assert await tier.redis.hgetall(KEYS.policies) == {}
    lines = [line for line in await tier.audit() if line["event"] == "configure_refused"]
    assert [line["by"] for line in lines] == ["alice", "wendy"]


async def test_what_somebody_else_set_meanwhile_is_not_replaced(desk: Desk) -> None:
    async def set_file(pointer: bytes, replaces: bytes) -> str:
        done = await desk.ledger.configure_file(
            await desk.given(desk.keys.answers, POLICIES, id="r1.0"),
            replaces=replaces,
            pointer=pointer,
            text=b"text of " + pointer,
            digest="d" * 64,
            was_digest="e" * 64,
            version="file@1",
            was="settings",
            approver="alice",
            told="console-1",
            keep_text_ms=1000,
        )
        return done.what

    assert await set_file(b"one", b"") == "configured"
    assert await set_file(b"two", b"") == "moved"
    audited = await desk.redis.xlen(desk.keys.audit)
    assert await set_file(b"one", b"one") == "configured"  # the same once more: only told again

    assert await desk.redis.xlen(desk.keys.audit) == audited == 1
    assert await desk.redis.get(desk.keys.policy_text("d" * 64)) == b"text of one"
    assert await desk.redis.hget(desk.keys.policies, "*") == b"one"


async def test_a_text_that_was_replaced_is_kept_as_long_as_audit_lines(tier: Tier) -> None:
    operator = tier.operator()
    await operator.set_policy_file(PARKS_LS)
    await operator.set_policy_file(NOTHING)

    old = KEYS.policy_text(digest_of_file(PARKS_LS.encode()))
    assert 0 < await tier.redis.pttl(old) <= tier.settings.audit_seconds * 1000
    assert await tier.redis.pttl(KEYS.policy_text(digest_of_file(NOTHING.encode()))) == -1
    await operator.set_policy_file(PARKS_LS)
    assert await tier.redis.pttl(old) == -1


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
