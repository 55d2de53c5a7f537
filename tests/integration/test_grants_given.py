"""Grants: who may leave one and revoke it, and how the scripts keep and count them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from desk import Desk
from guardtier import ApproverClient, State
from guardtier.errors import InvalidAnswer, NotAuthorized, UnknownGrant
from guardtier.policy.grant_requests import RevokeRequest
from guardtier.policy.grants import Grant, Remember
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.store.grants import MAX_GRANTS, KeptGrants
from guardtier.store.keys import POLICIES
from guardtier.store.pipe import CommandPipe
from guardtier.verdict import Verdict
from guardtier_workers.approvers import Approvers, add
from guardtier_workers.grants.vouched import vouched
from kept_grants import GRANTS, KEYS, remembered
from tier import StartTier, Tier, high

# -- who may leave one ---------------------------------------------------------------------------


async def test_what_can_not_be_remembered_refuses_the_whole_answer(tier: Tier) -> None:
    parked = await tier.client().submit(high("git push $(id)"))

    with pytest.raises(InvalidAnswer, match="plain shell commands"):
        await tier.approver().approve(parked.id, remember=Remember(pattern="command"))

    assert (await tier.record(parked.id)).state is State.PARKED
    assert isinstance(await tier.approver().approve(parked.id), Verdict)


async def test_a_grant_counts_only_while_its_giver_may_answer(tier: Tier) -> None:
    await remembered(tier, high("git push"), "exact")

    tier._approvers_file.write_text("")

    assert (await tier.client().submit(high("git push"))).is_waiting


async def test_nobody_releases_their_own_agents_actions_by_a_grant(tier: Tier) -> None:
    await remembered(tier, high("git push"), scope="fleet")

    assert (await tier.client().submit(high("git push", agent="agent-2"))).state is State.RELEASED
    assert (await tier.client().submit(high("git push", agent="alice"))).is_waiting


async def test_a_second_answer_leaves_no_second_grant(tier: Tier) -> None:
    parked = await tier.client().submit(high("git push"))
    await tier.approver().approve(parked.id)

    with pytest.raises(Exception, match="approved"):
        await tier.approver("bob").approve(parked.id, remember=Remember(pattern="exact"))

    await tier.idle()
    assert not await tier.redis.exists(GRANTS)


async def test_where_two_have_to_approve_nobody_leaves_one(tier: Tier) -> None:
    """The last of them would open it in the names of the others, who have seen this one action."""
    parked = await tier.client().submit(high("git push"))
    await tier.redis.hset(KEYS.action(parked.id), "terms", Terms(approve=2).to_json())
    remember = Remember(pattern="exact")

    for first, name in ((True, "alice"), (False, "bob")):
        with pytest.raises(InvalidAnswer, match="takes 2 people"):
            await tier.approver(name).approve(parked.id, remember=remember)
        found = await tier.approver(name).approve(parked.id)
        assert isinstance(found, Counted) == first

    await tier.idle()
    assert not await tier.redis.exists(GRANTS)


async def test_an_outbox_entry_that_is_handled_twice_says_it_once(desk: Desk) -> None:
    entry = await desk.given(desk.keys.outbox, POLICIES, id="a1.0", op="grant", body="{}")

    for _ in range(2):
        await desk.ledger.done(entry, says=("granted", "fleet", "web"))

    assert len(await desk.redis.xrange(desk.keys.audit)) == 1
    assert not await desk.pending(entry)


async def test_a_grant_that_had_ended_before_it_was_kept_is_not_told_as_given(tier: Tier) -> None:
    grant = await remembered(tier, high("git push"), "exact")
    body = orjson.loads(await tier.redis.hget(GRANTS, grant))
    late = vouched(
        Grant(**body | {"expires_at": body["given_at"] + 1}), Approvers(tier.settings.approvers_file)
    )
    await tier.redis.hdel(GRANTS, grant)

    await tier.redis.xadd(KEYS.outbox, {"id": "a.0", "op": "grant", "body": late})  # tried again days later
    await tier.idle()

    said = [line for line in await tier.audit() if line["id"] == "a.0"]
    assert [line["event"] for line in said] == ["refused"]
    assert "had ended" in said[0]["error"]


async def test_who_may_write_to_the_outbox_gives_no_grant(tier: Tier, tmp_path: Path) -> None:
    """A steward's credential may: its scripts leave notices and halts there."""
    given = await tier.redis.hget(GRANTS, await remembered(tier, high("git push"), "tool"))
    mine = Grant.from_json(given).model_copy(update={"id": "g" + 12 * "0", "agent": "agent-2"})
    file = tmp_path / "mine.toml"
    add(file, mine.by[0])  # the name of somebody who may, with a key of one's own

    for body in (mine.to_json(), vouched(mine, Approvers(file))):
        await tier.redis.xadd(KEYS.outbox, {"id": "a.0", "op": "grant", "body": body})
    await tier.idle()

    assert await tier.redis.hget(GRANTS, mine.id) is None
    assert await tier.redis.xlen(KEYS.dead) == 2
    assert (await tier.client().submit(high("git push", agent="agent-2"))).is_waiting


# -- revoking ------------------------------------------------------------------------------------


async def test_a_revoked_grant_releases_nothing_and_never_comes_back(tier: Tier) -> None:
    grant = await remembered(tier, high("git push"), "exact")
    given = Grant.from_json(await tier.redis.hget(GRANTS, grant))
    body = vouched(given, Approvers(tier.settings.approvers_file))

    await tier.approver("bob").revoke_grant("web", grant)

    assert (await tier.client().submit(high("git push"))).is_waiting
    assert await tier.approver().grants("web") == []
    (line,) = [line for line in await tier.audit() if line["event"] == "revoked"]
    assert (line["by"], orjson.loads(line["details"])) == ("bob", {"grant": grant})
    await tier.redis.xadd(KEYS.outbox, {"id": "a.0", "op": "grant", "body": body})  # delivered once more
    await tier.idle()
    assert (await tier.client().submit(high("git push"))).is_waiting
    assert [line["event"] for line in await tier.audit()].count("granted") == 1
    with pytest.raises(UnknownGrant, match="revoked already"):
        await tier.approver().revoke_grant("web", grant)


async def test_only_an_approver_of_the_fleet_revokes(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    grant = await remembered(tier, high("git push"), "exact")

    with pytest.raises(NotAuthorized, match="does not prove"):
        await tier.impostor().revoke_grant("web", grant)
    with pytest.raises(NotAuthorized, match="may not answer for fleet web"):
        await tier.approver("carol", ["ops"]).revoke_grant("web", grant)
    with pytest.raises(NotAuthorized, match="no rights in fleet web"):
        await tier.approver("carol", ["ops"]).grants("web")
    with pytest.raises(UnknownGrant, match="none is kept"):
        await tier.approver().revoke_grant("ops", grant)

    assert (await tier.client().submit(high("git push"))).state is State.RELEASED


async def test_a_revocation_that_is_sent_once_more_is_told_again(tier: Tier) -> None:
    grant = await remembered(tier, high("git push"), "exact")
    alice = tier.approver()
    await tier.keep_entries(KEYS.answers)
    await alice.revoke_grant("web", grant)
    ((_, fields),) = [
        (entry, fields)
        for entry, fields in await tier.redis.xrange(KEYS.answers)
        if fields.get(b"op") == b"revoke"
    ]
    request, _ = RevokeRequest.from_fields(fields)

    await tier.redis.xadd(KEYS.answers, fields)
    await tier.idle()

    told = await tier.redis.xrange(KEYS.told(request.client))
    assert [line[b"state"] for _, line in told if line[b"id"] == request.id.encode()] == [b"revoked"] * 2


@pytest.mark.parametrize("with_token", [True, False], ids=["by the tier", "read"])
async def test_many_grants_are_listed_page_by_page_those_that_end_first_before_the_others(
    tier: Tier, with_token: bool
) -> None:
    grant = await grant_of(tier)
    made = [
        grant.model_copy(update={"id": f"g{n:012x}", "expires_at": grant.expires_at + 1000 - n // 3})
        for n in range(250)
    ]
    await tier.redis.hset(GRANTS, mapping={one.id: one.to_json() for one in made})
    client = tier.approver() if with_token else ApproverClient(tier.url)

    found = [one.grant for one in await client.grants("web")]
    await client.aclose()

    assert found == sorted([grant, *made], key=lambda one: (one.expires_at, one.id))


# -- the scripts ---------------------------------------------------------------------------------


async def test_a_use_is_counted_once_for_each_action(tier: Tier) -> None:
    grant = await remembered(tier, high("git push"), "exact", uses=2)
    pipe = CommandPipe(tier.redis, insist=False)
    grants = KeptGrants(pipe)

    found = [await grants.use("web", [grant], name) for name in ("a.0", "a.0", "b.0", "a.0", "c.0")]

    assert found == [("used", "")] * 4 + [("exhausted", grant)]
    assert await grants.use("web", ["g" + 12 * "0"], "a.0") == ("gone", "g" + 12 * "0")
    assert await grants.use("web", [grant, "g" + 12 * "0"], "d.0") == ("exhausted", grant)
    await pipe.close()


async def test_of_several_grants_all_are_counted_or_none(tier: Tier) -> None:
    first = await remembered(tier, high("git add x"))
    pipe = CommandPipe(tier.redis, insist=False)
    grants = KeptGrants(pipe)

    assert await grants.use("web", [first, "g" + 12 * "0"], "a.0") == ("gone", "g" + 12 * "0")

    assert await grants.uses("web", [first]) == {first: 0}
    await pipe.close()


async def test_a_fleet_keeps_so_many_grants_and_those_that_are_over_make_room(tier: Tier) -> None:
    body = (await grant_of(tier)).to_json()
    pipe = CommandPipe(tier.redis, insist=False)
    grants = KeptGrants(pipe)
    names = [f"g{n:012x}" for n in range(MAX_GRANTS)]
    await tier.redis.hset(GRANTS, mapping=dict.fromkeys(names[1:], body))

    assert await grants.keep("web", "g" + 12 * "f", body, expires_at=2**53) == "full"
    await tier.redis.hset(GRANTS, names[2], b'{"expires_at":1}')
    assert await grants.keep("web", "g" + 12 * "f", body, expires_at=2**53) == "granted"
    assert await grants.keep("web", "g" + 12 * "f", body, expires_at=2**53) == "known"
    assert await grants.keep("web", "g" + 12 * "e", body, expires_at=1) == "expired"
    await pipe.close()


async def test_those_that_are_revoked_make_room_too(tier: Tier) -> None:
    body = (await grant_of(tier)).to_json()
    pipe = CommandPipe(tier.redis, insist=False)
    grants = KeptGrants(pipe)
    names = [f"g{n:012x}" for n in range(MAX_GRANTS)]
    await tier.redis.hset(GRANTS, mapping=dict.fromkeys(names[1:], body))
    assert await grants.keep("web", "g" + 12 * "f", body, expires_at=2**53) == "full"

    assert await grants.revoke("web", names[1], "r1.0") == "revoked"

    assert await grants.keep("web", "g" + 12 * "f", body, expires_at=2**53) == "granted"
    assert await grants.keep("web", "g" + 12 * "e", body, expires_at=2**53) == "full"
    assert await grants.keep("web", names[1], body, expires_at=2**53) == "revoked"
    await pipe.close()


async def grant_of(tier: Tier) -> Grant:
    grant = await remembered(tier, high("git push"), "exact")
    return Grant.from_json(await tier.redis.hget(GRANTS, grant))
