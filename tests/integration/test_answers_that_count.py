"""Who may answer what is parked under terms, and until when; what is wrong is told and changes nothing."""

from __future__ import annotations

from time import time

import pytest

from guardtier import ApproverClient, State
from guardtier.answer import Answer, Choice, key_of
from guardtier.errors import (
    AnalysisFailed,
    GuardtierError,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
    WrongState,
)
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier.verdict import Verdict
from tier import StartTier, Tier, high
from waiting import until

TWO = Terms(approve=2)


async def parked(tier: Tier, terms: Terms = TWO, **fields: str) -> str:
    """The id of a new action that is parked under these terms."""
    action_id = (await tier.client().submit(high(**fields))).id
    await put(tier, action_id, "terms", terms.to_json())
    return action_id


async def put(tier: Tier, action_id: str, field: str, value: bytes) -> None:
    await tier.redis.hset(Keys(0).action(action_id), field, value)


def names(tier: Tier, *listed: str) -> list[ApproverClient]:
    return [tier.approver(name) for name in listed]


# -- who may answer ----------------------------------------------------------------------------


async def test_the_policy_wants_one_of_its_roles(tier: Tier) -> None:
    dba, dev = tier.approver("dba", roles=["dba", "ops"]), tier.approver("dev", roles=["dev"])
    nobody = tier.approver("nobody")
    action_id = await parked(tier, Terms(roles=("dba", "security")))

    for one in (dev, nobody):
        with pytest.raises(NotAuthorized, match="dba or security") as refused:
            await one.reject(action_id, reason="no")
        assert refused.value.field == "roles"

    assert isinstance(await dba.approve(action_id), Verdict)


@pytest.mark.parametrize(
    "who",
    [{"agents": ["web/agent-*"]}, {"agents": ["*/agent-1"]}, {"principal": "agent-1"}],
    ids=["its agents", "an agent in every fleet", "the agent itself"],
)
async def test_nobody_answers_for_their_own_agent(tier: Tier, who: dict[str, str]) -> None:
    action_id = await parked(tier, Terms())
    own = tier.approver("alice", **who)

    for answer in (own.approve(action_id), own.reject(action_id, reason="no")):
        with pytest.raises(NotAuthorized, match="their own") as refused:
            await answer
        assert refused.value.field == "agent"

    assert (await tier.record(action_id)).state is State.PARKED


async def test_another_token_of_theirs_does_not_help(tier: Tier) -> None:
    tier.approver("alice", agents=["web/agent-1"])
    phone, bob = tier.approver("phone", principal="alice"), tier.approver("bob", agents=["ops/*"])
    action_id = await parked(tier, Terms())

    with pytest.raises(NotAuthorized, match="their own"):
        await phone.approve(action_id)

    assert isinstance(await bob.approve(action_id), Verdict)


async def test_the_policy_wants_a_reason(tier: Tier) -> None:
    alice = tier.approver()
    action_id = await parked(tier, Terms(reason_required=True))

    for no_reason in ("", " \n"):
        with pytest.raises(InvalidAnswer, match="reason") as refused:
            await alice.approve(action_id, reason=no_reason)
        assert refused.value.field == "reason"
        with pytest.raises(InvalidAnswer):
            await alice.reject(action_id, reason=no_reason)

    assert isinstance(await alice.approve(action_id, reason="checked"), Verdict)


# -- too late, or about something else ---------------------------------------------------------


async def test_the_last_vote_that_is_late_decides_nothing(start_tier: StartTier) -> None:
    tier = await start_tier()
    alice, bob = names(tier, "alice", "bob")
    action_id = await parked(tier)
    await alice.approve(action_id)
    await put(tier, action_id, "deadline", b"1")

    with pytest.raises(WrongState, match="deadline"):
        await bob.approve(action_id)

    assert (await tier.record(action_id)).state is State.PARKED
    await tier.redis.zadd(Keys(0).parked, {action_id: 1})
    await tier.steward().sweep()
    assert (await tier.record(action_id)).state is State.EXPIRED
    with pytest.raises(WrongState, match="expired"):
        await bob.approve(action_id)


async def test_an_action_that_became_another_one_is_looked_at_again(tier: Tier) -> None:
    """As an edit leaves it: another digest, and no vote on the old one counts."""
    alice, bob, carol = names(tier, "alice", "bob", "carol")
    action_id = await parked(tier)
    record = await tier.record(action_id)
    seen, other = record.digest, record.action.model_copy(update={"arguments": {"command": "ls"}})
    await alice.approve(action_id)
    await put(tier, action_id, "event", other.to_json())
    await put(tier, action_id, "digest", other.digest.encode())

    with pytest.raises(GuardtierError, match="look at it again"):
        await bob.approve(action_id, digest=seen)
    said = await bob.approve(action_id, digest=other.digest)

    assert isinstance(said, Counted)
    assert said.approved_by == ("bob",)
    verdict = await carol.approve(action_id)
    assert isinstance(verdict, Verdict)
    assert (verdict.digest, verdict.decided_by) == (other.digest, ("bob", "carol"))


@pytest.mark.parametrize("field", ["terms", "votes"])
async def test_what_cannot_be_read_lets_nothing_run(tier: Tier, field: str) -> None:
    action_id = await parked(tier, Terms())
    await put(tier, action_id, field, b'{"approve": 0}')

    with pytest.raises(AnalysisFailed, match="can't be read"):
        await tier.approver().approve(action_id)

    assert (await tier.record(action_id)).state is State.PARKED


async def test_an_answer_in_another_partitions_stream_finds_nothing(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=2)
    tier.approver("alice")
    action_id = (await tier.client().submit(high())).id
    home = int(action_id.rpartition(".")[2])
    digest = (await tier.record(action_id)).digest
    answer = Answer(
        id=action_id,
        client="c1",
        approver="alice",
        choice=Choice.APPROVE,
        digest=digest,
        at=int(time() * 1000),
    )
    said = answer.to_fields(answer.proof(key_of(tier.token_of("alice"))))

    sent = await tier.redis.xadd(Keys(1 - home).answers, said)

    async def refusal() -> GuardtierError | None:
        replies = await tier.redis.xrange(Keys(1 - home).told("c1"))
        found = [fields[b"error"] for _, fields in replies if fields[b"entry"] == sent]
        return GuardtierError.from_json(found[0]) if found else None

    assert isinstance(await until(refusal), UnknownAction)
    assert (await tier.record(action_id)).state is State.PARKED
