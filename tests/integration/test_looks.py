"""Approvers look by way of the tier: their own fleets, page by page, and nothing of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time
from typing import Any

import orjson
import pytest

from guardtier import ActionEvent, ApproverClient, SecurityRisk, State
from guardtier.answer import Choice, key_of
from guardtier.errors import (
    GuardtierError,
    GuardTimeout,
    InvalidAction,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
)
from guardtier.look import LookRequest
from guardtier.policy.tally import Vote, read_votes, votes_to_json
from guardtier.store.keys import Keys
from guardtier.store.looks import KEPT
from guardtier_workers.approvers import Right
from tier import StartTier, Tier, high, unknown
from waiting import until

KEYS = Keys(0)
FLEETS = {"web": {}, "ops": {}}
MINUTES = 60_000


@pytest.fixture
async def tier(start_tier: StartTier) -> Tier:
    """Two fleets."""
    return await start_tier(fleets=FLEETS)


async def parked(tier: Tier, action: ActionEvent) -> str:
    """The id of this action, parked."""
    return (await tier.client(action.fleet).submit(action)).id


async def test_each_sees_their_own_fleets(tier: Tier) -> None:
    web, ops = await parked(tier, high()), await parked(tier, high(fleet="ops"))
    alice, bob, carol = (
        tier.approver("alice", ["web"]),
        tier.approver("bob", ["ops"]),
        tier.approver("carol"),
    )

    seen = [{record.id for record in await who.pending()} for who in (alice, bob, carol)]

    assert seen == [{web}, {ops}, {web, ops}]
    assert [await who.count() for who in (alice, bob, carol)] == [1, 1, 2]
    assert (await bob.get(ops)).action.fleet == "ops"


async def test_another_fleets_action_is_told_as_one_that_is_not_there(tier: Tier) -> None:
    web = await parked(tier, high())
    bob = tier.approver("bob", ["ops"])

    with pytest.raises(UnknownAction) as foreign:
        await bob.get(web)
    with pytest.raises(UnknownAction) as missing:
        await bob.get("nothing.0")

    assert str(foreign.value).replace(web, "ID") == str(missing.value).replace("nothing.0", "ID")
    for fleet in ("web", "no-such-fleet"):
        with pytest.raises(NotAuthorized) as caught:
            await bob.pending(fleet=fleet)
        assert caught.value.field == "fleet"


async def test_whoever_has_no_right_sees_nothing(tier: Tier) -> None:
    web = await parked(tier, high())
    nobody = tier.approver("eve", may=())

    assert (await nobody.pending(), await nobody.count()) == ([], 0)
    with pytest.raises(UnknownAction):
        await nobody.get(web)


async def test_who_may_configure_alone_sees_what_waits(tier: Tier) -> None:
    await parked(tier, high())

    assert await tier.approver("conny", may=[Right.CONFIGURE]).count() == 1


async def test_a_made_up_token_shows_nothing(tier: Tier) -> None:
    web = await parked(tier, high())
    tier.approver("alice")
    impostor = tier.impostor("alice")

    for look in (impostor.pending, impostor.count, lambda: impostor.get(web)):
        with pytest.raises(NotAuthorized):
            await look()

    lines = [line for line in await tier.audit() if line["event"] == "look_refused"]
    assert [line["by"] for line in lines] == ["alice"] * 3


async def test_filters_leave_out_the_others(tier: Tier) -> None:
    wanted = await parked(tier, high(agent="a2"))
    await parked(tier, high(agent="a1"))
    strange = await parked(tier, unknown(agent="a2"))
    foreign = await parked(tier, high(agent="a2", fleet="ops"))

    async def ids(client: ApproverClient, **filters: Any) -> set[str]:
        return {record.id for record in await client.pending(**filters)}

    for client in (tier.approver(), ApproverClient(tier.url)):
        async with client:
            assert await ids(client, agent="a2") == {wanted, strange, foreign}
            assert await ids(client, agent="a2", fleet="web", risk=[SecurityRisk.HIGH]) == {wanted}
            assert await ids(client, risk=["UNKNOWN", "LOW"]) == {strange}
            assert await ids(client, agent="nobody") == set()
            assert await client.count(fleet="web") == 3


async def test_pages_of_all_partitions_come_in_order(start_tier: StartTier) -> None:
    fleets = {f"f{number}": {"park_seconds": 100 + 10 * number} for number in range(4)}
    tier = await start_tier(partitions=3, fleets=fleets, analyzers=1, policies=2)
    for fleet in fleets:
        for _ in range(3):
            client = tier.client(fleet)
            await asyncio.gather(*(client.submit(high(fleet=fleet)) for _ in range(20)))
    alice, reader = tier.approver("alice", ["f0", "f3"]), ApproverClient(tier.url, partitions=3)

    async with reader:
        direct = [record.id async for record in reader.parked()]
        mine = [record.id async for record in alice.parked()]
        everything = await reader.pending(limit=1000)

    assert direct == [record.id for record in everything]
    assert [record.deadline for record in everything] == sorted(record.deadline for record in everything)
    assert mine == [record.id for record in everything if record.fleet in ("f0", "f3")]
    assert len(mine) == 120
    assert [record.id for record in await alice.pending(limit=7, after=63)] == mine[63:70]
    assert await alice.count() == 120


async def test_large_actions_come_whole_a_few_a_page(tier: Tier) -> None:
    texts = [str(number) * 200_000 for number in range(3)]
    ids = [await parked(tier, high(thought=text)) for text in texts]
    alice = tier.approver()

    found = {record.id: record.action.thought for record in await alice.pending()}

    assert found == dict(zip(ids, texts, strict=True))
    replies = await tier.redis.xrange(KEYS.told(alice._client_id))
    assert len(replies) == 3, "one a page"


async def test_what_is_shown_is_the_record(tier: Tier) -> None:
    action_id = await parked(tier, high("é\x00💥", summary="\u202e"))
    alice = tier.approver()
    vote = Vote(principal="p", approver="bob", choice=Choice.APPROVE, digest="0" * 64, at=1, proof="secret")
    await tier.redis.hset(
        KEYS.action(action_id), mapping={"votes": votes_to_json([vote]), "terms": b'{"approve":2}'}
    )
    kept = await tier.record(action_id)

    shown = await alice.get(action_id)

    assert shown.action == kept.action
    assert (shown.assessment, shown.deadline, shown.digest) == (kept.assessment, kept.deadline, kept.digest)
    assert (shown.policy, shown.terms, shown.received_at) == (kept.policy, kept.terms, kept.received_at)
    assert (shown.waiters, read_votes(shown.votes)) == ("", (vote.model_copy(update={"proof": ""}),))
    await tier.redis.hdel(KEYS.action(action_id), "votes", "terms")
    await alice.approve(action_id)
    decided = await alice.get(action_id)
    assert (decided.state, decided.verdict) == (State.APPROVED, (await tier.record(action_id)).verdict)


async def test_replies_that_were_read_do_not_pile_up(tier: Tier) -> None:
    await parked(tier, high(thought="x" * 10_000))
    alice = tier.approver()

    for _ in range(KEPT + 5):
        assert await alice.count() == 1
        assert len(await alice.pending()) == 1

    assert await tier.redis.xlen(KEYS.told(alice._client_id)) == KEPT
    assert await tier.redis.pttl(KEYS.shown(alice._client_id)) > 0
    await tier.idle()


async def test_many_looks_at_once_are_all_answered(tier: Tier) -> None:
    action_id = await parked(tier, high(thought="x" * 50_000))
    alice = tier.approver()

    found = await asyncio.gather(*(alice.get(action_id) for _ in range(50)))

    assert {record.id for record in found} == {action_id}


async def test_without_a_worker_a_look_ends_in_time(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    await tier.workers[0].stop()

    with pytest.raises(GuardTimeout):
        await tier.approver().pending(timeout=0.2)


def asked(tier: Tier, name: str = "alice", **changes: Any) -> dict[str, Any]:
    """A genuine request's entry."""
    known = {
        "id": "look.0",
        "client": "forger",
        "approver": name,
        "what": "page",
        "at": int(time() * 1000),
    }
    request = LookRequest(**known | changes)
    return request.to_fields(request.proof(key_of(tier.token_of(name))))


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return fields | {"request": orjson.dumps(orjson.loads(fields["request"]) | changes)}


FORGERIES: dict[str, tuple[Callable[[Tier], dict[str, Any]], type[GuardtierError], str]] = {
    "no proof": (lambda tier: asked(tier) | {"proof": ""}, NotAuthorized, "approver"),
    "another fleet": (lambda tier: changed(asked(tier), fleet="ops"), NotAuthorized, "approver"),
    "another name": (lambda tier: changed(asked(tier), approver="bob"), NotAuthorized, "approver"),
    "another client": (lambda tier: changed(asked(tier), client="eve"), InvalidAnswer, "id"),
    "another partition": (lambda tier: asked(tier, id="look.7"), InvalidAnswer, "id"),
    "an old one": (lambda tier: asked(tier, at=int(time() * 1000) - 11 * MINUTES), NotAuthorized, "at"),
    "a bad cursor": (lambda tier: asked(tier, after="-inf"), InvalidAction, "after"),
    "too many": (lambda tier: changed(asked(tier), limit=101), InvalidAnswer, "limit"),
    "no request": (lambda tier: asked(tier) | {"request": b"{"}, InvalidAnswer, "payload"),
    "a field too much": (lambda tier: changed(asked(tier), sudo=True), InvalidAnswer, "sudo"),
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_look_is_refused(tier: Tier, how: str) -> None:
    forge, kind, field = FORGERIES[how]
    tier.approver("alice", ["web"]), tier.approver("bob")

    entry = await tier.redis.xadd(KEYS.answers, forge(tier))

    async def told() -> GuardtierError | None:
        for _, fields in await tier.redis.xrange(KEYS.told("forger")):
            if fields.get(b"entry") == entry:
                assert b"body" not in fields
                return GuardtierError.from_json(fields[b"error"])
        return None

    error = await until(told)
    assert (type(error), error.field) == (kind, field)
    await tier.idle()
