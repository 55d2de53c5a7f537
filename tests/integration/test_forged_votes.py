"""Votes and edits in a record: what no approver has said counts for nothing, whoever wrote it there.

An analyzer worker's credential, and a steward's, may write records (docs/roles.md); the first one may also
hand over what it says was rated.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

import pytest

from editing import KEYS, SAFE, start_gated
from guardtier import ActionEvent, Assessment, SecurityRisk, State, Verdict
from guardtier.answer import Choice
from guardtier.approver_answers import Draft
from guardtier.errors import NotAuthorized, UnknownAction
from guardtier.policy.edit import Edit
from guardtier.policy.tally import Counted, Vote, read_votes, votes_to_json
from guardtier.policy.terms import Terms
from guardtier.store.records import Record
from guardtier_workers.dismissing import rotate
from tier import StartTier, Tier, high
from waiting import until

TWO = Terms(approve=2)
MADE_UP = "0" * 64


async def parked(tier: Tier, terms: Terms = TWO) -> Record:
    action_id = (await tier.client(accept_edits=True).submit(high())).id
    await tier.redis.hset(KEYS.action(action_id), "terms", terms.to_json())
    return await tier.record(action_id)


async def vote_of(tier: Tier, record: Record) -> Vote:
    (vote,) = read_votes((await tier.record(record.id)).votes)
    return vote


async def write_votes(tier: Tier, record: Record, *votes: Vote) -> None:
    await tier.redis.hset(KEYS.action(record.id), "votes", votes_to_json(votes))


# -- a new token --------------------------------------------------------------------------------


async def test_a_vote_is_worth_nothing_once_its_token_is_another(tier: Tier) -> None:
    mallory, bob, carol = (tier.approver(name) for name in ("mallory", "bob", "carol"))
    record = await parked(tier)
    await mallory.approve(record.id)

    rotate(tier._approvers_file, "mallory")
    said = await bob.approve(record.id)

    assert isinstance(said, Counted)
    assert said.approved_by == ("bob",)
    assert isinstance(await carol.approve(record.id), Verdict)


async def test_an_edit_comes_to_nothing_where_its_token_is_another_by_then(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    rotate(tier._approvers_file, "alice")
    gate.open.set()

    with pytest.raises(NotAuthorized):
        await editing
    assert (await tier.record(asked.id)).digest == asked.action.digest
    asked.waiting.cancel()


# -- what stands in the record ------------------------------------------------------------------

#: What is made of a genuine vote of alice's on one action, to count on another.
FORGERIES: dict[str, Mapping[str, Any]] = {
    "as it is, of another action": {},
    "a made-up proof": {"proof": MADE_UP},
    "none at all": {"proof": ""},
    "another approver": {"approver": "carol", "principal": "carol"},
    "another choice": {"choice": Choice.REJECT},
    "another time": {"at": 1},
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_vote_that_nobody_gave_does_not_count(tier: Tier, forgery: str) -> None:
    alice, bob, _ = (tier.approver(name) for name in ("alice", "bob", "carol"))
    genuine, record = await parked(tier), await parked(tier)
    await alice.approve(genuine.id)
    vote = await vote_of(tier, genuine)

    await write_votes(tier, record, vote.model_copy(update=FORGERIES[forgery]))
    said = await bob.approve(record.id)

    assert isinstance(said, Counted)
    assert (said.approved_by, said.rejected_by) == (("bob",), ())


async def test_a_vote_that_was_turned_round_does_not_count(tier: Tier) -> None:
    alice, bob = (tier.approver(name) for name in ("alice", "bob"))
    record = await parked(tier, Terms(approve=2, reject=2))
    await alice.reject(record.id, reason="no")
    vote = await vote_of(tier, record)

    await write_votes(tier, record, vote.model_copy(update={"choice": Choice.APPROVE}))
    said = await bob.approve(record.id)

    assert isinstance(said, Counted)
    assert said.approved_by == ("bob",)


@pytest.mark.parametrize("arguments", [SAFE, {"command": "rm -rf ~/.ssh"}], ids=["another", "its own"])
async def test_an_edit_that_nobody_made_approves_nothing(tier: Tier, arguments: dict[str, str]) -> None:
    tier.approver()
    record = await parked(tier, Terms())
    edited: ActionEvent = record.action.model_copy(update={"arguments": arguments})
    edit = Edit(
        proof=MADE_UP,
        approver="alice",
        principal="alice",
        client="forger",
        entry="1-0",
        at=int(time() * 1000),
        was=record.digest,
        digest=edited.digest,
    )
    await tier.redis.hset(KEYS.action(record.id), mapping={"edit": edit.to_json(), "asking": "1-0"})

    await tier.redis.xadd(
        KEYS.assessed,
        {
            "op": "edited",
            "id": record.id,
            "proof": MADE_UP,
            "fleet": edited.fleet,
            "agent": edited.agent,
            "tool": edited.tool_name,
            "conversation": "",
            "digest": edited.digest,
            "payload": edited.to_json(),
            "assessment": Assessment(risk=SecurityRisk.LOW).to_json(),
        },
    )

    async def refused() -> bool:
        return any(line["event"] in ("edit_refused", "approved") for line in await tier.audit(record.id))

    await until(refused)
    after = await tier.record(record.id)
    assert (after.state, after.verdict, after.digest) == (State.PARKED, None, record.digest)


# -- whose action it is -------------------------------------------------------------------------


@pytest.mark.parametrize("choice", Choice)
async def test_nobody_answers_an_action_of_another_fleet_that_was_written_to_theirs(
    start_tier: StartTier, choice: Choice
) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    otto = tier.approver("otto", ["ops"])
    record = await parked(tier, Terms())

    await tier.redis.hset(KEYS.action(record.id), "fleet", "ops")

    with pytest.raises(UnknownAction):
        await otto.answer(Draft(record.id, choice, record.digest, "because"))
    assert (await tier.record(record.id)).state is State.PARKED
