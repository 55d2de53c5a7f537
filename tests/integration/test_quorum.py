"""Quorum: how many people it takes, who they may be, and which of their answers counts."""

from __future__ import annotations

import asyncio
import json
from time import time

from guardtier import ApproverClient, Outcome, State
from guardtier.answer import Answer, Choice, key_of
from guardtier.errors import (
    GuardtierError,
    WrongState,
)
from guardtier.policy.tally import Counted, read_votes
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier.verdict import Verdict
from tier import StartTier, Tier, high
from waiting import until

TWO = Terms(approve=2)
OTHER_DIGEST = "0" * 64


async def parked(tier: Tier, terms: Terms = TWO, **fields: str) -> str:
    """The id of a new action that is parked under these terms."""
    action_id = (await tier.client().submit(high(**fields))).id
    await put(tier, action_id, "terms", terms.to_json())
    return action_id


async def put(tier: Tier, action_id: str, field: str, value: bytes) -> None:
    await tier.redis.hset(Keys(0).action(action_id), field, value)


def names(tier: Tier, *listed: str) -> list[ApproverClient]:
    return [tier.approver(name) for name in listed]


async def counted(tier: Tier, action_id: str) -> list[dict[str, str]]:
    """The lines of the audit stream of answers that counted, with their details."""
    return [line | json.loads(line["details"]) for line in await tier.audit(action_id) if "details" in line]


def entry(tier: Tier, action_id: str, name: str, choice: Choice, digest: str, at: int) -> dict[str, str]:
    """A genuine answer as it comes by the stream."""
    said = Answer(id=action_id, client="c1", approver=name, choice=choice, digest=digest, at=at)
    return said.to_fields(said.proof(key_of(tier.token_of(name))))


async def told(tier: Tier, sent: bytes) -> dict[bytes, bytes]:
    """What an answer's sender was told."""

    async def found() -> dict[bytes, bytes] | None:
        replies = await tier.redis.xrange(Keys(0).told("c1"))
        return next((fields for _, fields in replies if fields[b"entry"] == sent), None)

    reply: dict[bytes, bytes] = await until(found)
    return reply


# -- how many ----------------------------------------------------------------------------------


async def test_two_people_let_it_run_and_both_are_named(tier: Tier) -> None:
    alice, bob = names(tier, "alice", "bob")
    client, action = tier.client(), high().placed_in(0)
    await client.submit(action)
    await put(tier, action.id, "terms", TWO.to_json())

    first = await alice.approve(action.id, reason="looks right")
    assert isinstance(first, Counted)
    assert (first.id, first.approved_by, first.approve) == (action.id, ("alice",), 2)
    assert (await tier.record(action.id)).state is State.PARKED
    second = await bob.approve(action.id, reason="to me too")

    assert isinstance(second, Verdict)
    assert (second.outcome, second.decided_by) == (Outcome.APPROVED, ("alice", "bob"))
    assert second.reason == "looks right\nto me too"
    assert (await tier.record(action.id)).verdict == second
    assert await client.redeem(action) == second


async def test_the_audit_stream_tells_who_said_what_and_what_it_takes(tier: Tier) -> None:
    alice, bob = tier.approver("alice", principal="al@example.org"), tier.approver("bob")
    action_id = await parked(tier)

    await alice.approve(action_id)
    await bob.approve(action_id)

    first, second = await counted(tier, action_id)
    assert (first["event"], first["by"], first["principal"]) == ("answered", "alice", "al@example.org")
    assert (first["choice"], first["need"]) == ("approve", {"approve": 2, "reject": 1})
    assert (second["event"], second["by"]) == ("approved", "bob")
    assert second["approved_by"] == ["al@example.org", "bob"]
    assert first["digest"] == second["digest"] == (await tier.record(action_id)).digest


async def test_the_usual_terms_want_one_answer(tier: Tier) -> None:
    action_id = await parked(tier, Terms())

    assert isinstance(await tier.approver().approve(action_id), Verdict)


async def test_one_rejection_outweighs_approvals(tier: Tier) -> None:
    alice, bob, carol = names(tier, "alice", "bob", "carol")
    action_id = await parked(tier, Terms(approve=3))
    await alice.approve(action_id)
    await bob.approve(action_id)

    verdict = await carol.reject(action_id, reason="not today")

    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.decided_by) == (Outcome.REJECTED, ("carol",))
    assert verdict.reason == "not today"


async def test_two_rejections_where_it_takes_two(tier: Tier) -> None:
    alice, bob, carol = names(tier, "alice", "bob", "carol")
    action_id = await parked(tier, Terms(approve=2, reject=2))

    said = [await alice.reject(action_id, reason="no"), await bob.approve(action_id)]
    verdict = await carol.reject(action_id, reason="never")

    assert [type(one) for one in said] == [Counted, Counted]
    assert isinstance(verdict, Verdict)
    assert (verdict.decided_by, verdict.reason) == (("alice", "carol"), "no\nnever")


async def test_ten_at_the_same_moment_are_each_counted_once(start_tier: StartTier) -> None:
    tier = await start_tier(policies=2)
    everybody = names(tier, *(f"p{number}" for number in range(10)))
    action_id = await parked(tier, Terms(approve=10))

    said = await asyncio.gather(*(one.approve(action_id) for one in everybody))

    (verdict,) = [one for one in said if isinstance(one, Verdict)]
    assert sorted(verdict.decided_by) == [f"p{number}" for number in range(10)]
    lines = await counted(tier, action_id)
    assert [len(line["approved_by"]) for line in lines] == list(range(1, 11))
    assert len(read_votes((await tier.record(action_id)).votes)) == 10


# -- whose answer counts -----------------------------------------------------------------------


async def test_a_person_counts_once_whatever_their_tokens(tier: Tier) -> None:
    laptop, phone = (tier.approver(name, principal="alice") for name in ("laptop", "phone"))
    action_id = await parked(tier)

    for one in (laptop, phone, laptop):
        said = await one.approve(action_id)
        assert isinstance(said, Counted)
        assert said.approved_by == ("alice",)

    assert (await tier.record(action_id)).state is State.PARKED
    assert isinstance(await tier.approver("bob").approve(action_id), Verdict)


async def test_somebody_may_change_their_mind_while_it_waits(tier: Tier) -> None:
    alice, bob = names(tier, "alice", "bob")
    action_id = await parked(tier, Terms(approve=2, reject=2))
    await alice.approve(action_id)

    said = await alice.reject(action_id, reason="I looked again")

    assert isinstance(said, Counted)
    assert (said.approved_by, said.rejected_by) == ((), ("alice",))
    assert isinstance(await bob.approve(action_id), Counted)


async def test_an_older_answer_that_comes_again_changes_nothing(tier: Tier) -> None:
    tier.approver("alice")
    action_id = await parked(tier, Terms(approve=2, reject=2))
    digest, now = (await tier.record(action_id)).digest, int(time() * 1000)
    older = entry(tier, action_id, "alice", Choice.APPROVE, digest, now - 10)
    newer = entry(tier, action_id, "alice", Choice.REJECT, digest, now)
    await told(tier, await tier.redis.xadd(Keys(0).answers, older))
    await told(tier, await tier.redis.xadd(Keys(0).answers, newer))

    for replayed in (older, entry(tier, action_id, "alice", Choice.APPROVE, digest, now)):
        reply = await told(tier, await tier.redis.xadd(Keys(0).answers, replayed))
        error = GuardtierError.from_json(reply[b"error"])
        assert (type(error), error.field) == (WrongState, "at")

    (vote,) = read_votes((await tier.record(action_id)).votes)
    assert (vote.choice, vote.at) == (Choice.REJECT, now)


async def test_the_same_answer_once_more_is_told_again_and_not_counted(tier: Tier) -> None:
    tier.approver("alice")
    action_id = await parked(tier)
    digest = (await tier.record(action_id)).digest
    said = entry(tier, action_id, "alice", Choice.APPROVE, digest, int(time() * 1000))

    replies = [await told(tier, await tier.redis.xadd(Keys(0).answers, said)) for _ in range(2)]
    await tier.approver("bob").approve(action_id)
    last = await told(tier, await tier.redis.xadd(Keys(0).answers, said))

    assert replies[0][b"body"] == replies[1][b"body"]
    assert Counted.model_validate_json(replies[0][b"body"]).approved_by == ("alice",)
    assert Verdict.from_json(last[b"verdict"]).decided_by == ("alice", "bob")
    await tier.idle()
    assert [line["event"] for line in await counted(tier, action_id)] == ["answered", "approved"]


async def test_a_vote_is_worth_nothing_once_its_token_is_revoked(tier: Tier) -> None:
    mallory, bob, carol = names(tier, "mallory", "bob", "carol")
    action_id = await parked(tier)
    await mallory.approve(action_id)
    tier.fire("mallory")

    said = await bob.approve(action_id)

    assert isinstance(said, Counted)
    assert said.approved_by == ("bob",)
    verdict = await carol.approve(action_id)
    assert isinstance(verdict, Verdict)
    assert verdict.decided_by == ("bob", "carol")
