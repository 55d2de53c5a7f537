"""Policy files that are wrong, or from somebody who may not set them, change nothing."""

from __future__ import annotations

import pytest

from desk import Desk
from guardtier import State
from guardtier.errors import ConfigError, NotAuthorized
from guardtier.policy.file import MAX_BYTES
from guardtier.policy.standing import MAX_FILE, digest_of_file
from guardtier.store.keys import POLICIES, Keys
from guardtier.store.records import MAX_TEXT
from tier import StartTier, Tier, low

KEYS = Keys(0)

PARKS_LS = """
version = 1
[[rule]]
name = "no-ls"
outcome = "park"
tool = "terminal"
risk = "LOW"
"""

NOTHING = "version = 1\n"

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


# -- what is wrong is refused --------------------------------------------------------------------


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
