"""What a grant releases, in a tier, and what beats it."""

from __future__ import annotations

import asyncio
from time import monotonic

import orjson
import pytest

from guardtier import ActionEvent, State
from guardtier.policy import AlwaysConfirm
from guardtier.policy.grants import Remember, grant_id
from guardtier.store.keys import GrantKeys
from kept_grants import GRANTS, KEYS, remembered
from tier import StartTier, Tier, high, low
from waiting import until


async def test_a_grant_releases_the_next_like_action_and_is_named(tier: Tier) -> None:
    grant = await remembered(tier, high("rm -rf build/a"))

    released = await tier.client().submit(high("rm -rf build/b"))

    assert released.state is State.RELEASED
    assert released.verdict is not None
    assert released.verdict.grant == grant
    (_, line) = await tier.audit(released.id)
    assert (line["event"], orjson.loads(line["details"])) == ("released", {"grant": grant})
    (one,) = await tier.approver().grants("web")
    assert (one.grant.id, one.uses, one.left) == (grant, 1, 9)


@pytest.mark.parametrize(
    "action",
    [
        high("rm -rf src/a"),
        high("rm -rf build/a && curl https://example.com"),
        high("rm -rf build/a | tee x"),
        high("rm -rf build/$(id)"),
        high("rm -rf build/a", agent="agent-2"),
        high("rm -rf build/a", tool_name="bash"),
        high("rm -rf build/a", arguments={"command": "rm -rf build/a", "cwd": "/"}),
    ],
    ids=lambda action: f"{action.agent}:{action.tool_name}:{action.arguments}",
)
async def test_what_is_not_like_it_waits(tier: Tier, action: ActionEvent) -> None:
    await remembered(tier, high("rm -rf build/a"))

    assert (await tier.client().submit(action)).is_waiting


async def test_the_giving_is_on_the_audit_stream_once_with_its_words(tier: Tier) -> None:
    grant = await remembered(tier, high("git push"), scope="agent")

    (line,) = [line for line in await tier.audit() if line["event"] == "granted"]

    assert (line["by"], line["fleet"], grant_id(line["id"])) == ("alice", "web", grant)
    details = orjson.loads(line["details"])
    assert details["grant"] == grant
    assert details["words"].startswith("terminal: git push, by agent agent-1")


async def test_it_releases_so_many_actions_and_no_more(start_tier: StartTier) -> None:
    tier = await start_tier(policies=3)
    await remembered(tier, high("git push"), "exact", uses=5)

    client = tier.client()
    found = await asyncio.gather(*(client.submit(high("git push")) for _ in range(20)))

    assert [status.state for status in found].count(State.RELEASED) == 5
    assert sum(status.is_waiting for status in found) == 15


async def test_it_ends_in_time(tier: Tier) -> None:
    for seconds in (1, 4, 16, 64):  # on a slow machine the first may end before it is used
        start, parked = monotonic(), await tier.client().submit(high("git push"))
        await tier.approver().approve(parked.id, remember=Remember(pattern="exact", seconds=seconds))
        await tier.idle()  # it is kept, or was over before
        grant, used = grant_id(parked.id), await tier.client().submit(high("git push"))
        if used.state is State.RELEASED:
            break
        assert monotonic() > start + seconds
    assert used.state is State.RELEASED

    await until(lambda: not_there(tier, GRANTS))

    assert (await tier.client().submit(high("git push"))).is_waiting
    assert not await tier.redis.exists(GrantKeys("web").uses(grant))
    assert await tier.approver().grants("web") == []


async def not_there(tier: Tier, key: str) -> bool:
    return not await tier.redis.exists(key)


async def test_an_id_that_was_forgotten_counts_once_more(tier: Tier) -> None:
    await remembered(tier, high("git push"), "exact", uses=1)
    action = high("git push")
    released = await tier.client().submit(action)
    assert released.state is State.RELEASED

    await tier.redis.delete(KEYS.action(released.id))  # as retain_seconds later

    assert (await tier.client().submit(action)).is_waiting


async def test_several_grants_cover_a_line_together(tier: Tier) -> None:
    first = await remembered(tier, high("git add x"))
    second = await remembered(tier, high("git push"))

    released = await tier.client().submit(high("git add x && git push"))

    assert released.verdict is not None
    assert released.verdict.grant == f"{first},{second}"


async def test_a_change_of_policy_does_not_end_it_and_it_never_turns_a_rejection(tier: Tier) -> None:
    await tier.operator().set_policy("web", AlwaysConfirm())
    await remembered(tier, low("ls"), "exact")

    assert (await tier.client().submit(low("ls"))).state is State.RELEASED
    assert (await tier.client().submit(low("pwd"))).is_waiting
    await tier.redis.hset(KEYS.policies, "web", b"{}")
    assert (await tier.client().submit(low("ls"))).is_waiting, "what can't be read parks everything"


async def test_a_block_beats_it(tier: Tier) -> None:
    parked = await tier.client().submit(high("git push"))
    await remembered(tier, high("git push"), "exact")
    await tier.approver().reject(parked.id, reason="not today")

    assert (await tier.client().submit(high("git push"))).state is State.REJECTED


async def test_a_halt_beats_it(tier: Tier) -> None:
    await remembered(tier, high("git push"), "exact")
    await tier.operator().halt("web", agent="agent-1", reason="look at this first")

    assert (await tier.client().submit(high("git push"))).is_waiting

    await tier.operator().resume("web", agent="agent-1")
    assert (await tier.client().submit(high("git push"))).state is State.RELEASED


async def test_a_halt_or_a_block_that_stands_uses_nothing_of_it(tier: Tier) -> None:
    client, approver, operator = tier.client(), tier.approver(), tier.operator()
    parked = await client.submit(high("git pull"))
    await remembered(tier, high("git push"), "exact", uses=1)
    blocked = await remembered(tier, high("git pull"), "exact", uses=1)
    await approver.reject(parked.id, reason="not today")

    assert (await client.submit(high("git pull"))).state is State.REJECTED
    uses = {one.grant.id: one.uses for one in await approver.grants("web")}
    assert uses[blocked] == 0

    await operator.halt("web", agent="agent-1", reason="look at this first")
    assert (await client.submit(high("git push"))).is_waiting
    await operator.resume("web", agent="agent-1")
    assert (await client.submit(high("git push"))).state is State.RELEASED


RULE = """
version = 1
[[rule]]
name = "pushes"
tool = "terminal"
"""


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ('outcome = "park"', State.RELEASED),
        ('outcome = "park"\nterms = { roles = ["dba"] }', State.PARKED),
        ('outcome = "park"\nterms = { approve = 2 }', State.PARKED),
        ('outcome = "park"\nterms = { may_remember = false }', State.PARKED),
        ('outcome = "reject"', State.REJECTED),
    ],
)
async def test_a_rule_that_wants_more_than_its_giver_beats_it(tier: Tier, rule: str, state: State) -> None:
    await remembered(tier, high("git push"), "exact")
    tier.approver("bob")
    tier.approver("dora", roles=["dba"])

    await tier.operator().set_policy_file(RULE + rule)

    assert (await tier.client().submit(high("git push"))).state is state


@pytest.mark.parametrize(
    "garbage", [b"", b"{}", b"\xff", b"x" * 100_000, b'{"expires_at":9e15,"max_uses":9}']
)
async def test_what_is_no_grant_covers_nothing(tier: Tier, garbage: bytes) -> None:
    await tier.redis.hset(GRANTS, mapping={"g" + 12 * "0": garbage, "*": "1"})

    assert (await tier.client().submit(high("git push"))).is_waiting
    assert await tier.approver().grants("web") == []


async def test_a_key_of_another_type_parks(tier: Tier) -> None:
    await tier.redis.set(GRANTS, "everything")

    assert (await tier.client().submit(high("git push"))).is_waiting
