"""Edit and approve: an approver's arguments run instead of the agent's, if the tier lets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from audit_model import AuditModel
from guardtier import ActionEvent, GuardClient, Outcome, SecurityRisk, State, Verdict
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.blocking import BlockingGuardClient
from guardtier.errors import (
    ActionConflict,
    AnalysisFailed,
    DigestMismatch,
    EditedAction,
    EditRefused,
    GuardTimeout,
    InvalidAction,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
    WrongState,
)
from guardtier.policy.edit import Revised
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier_workers import approvers
from tier import Gate, StartTier, Tier, audit_lines, high, only
from waiting import until

KEYS = Keys(0)
SAFE = {"command": "ls ~/.ssh"}


@pytest.fixture(autouse=True)
async def the_audit_stream_tells_the_story(redis_url: str) -> AsyncIterator[None]:
    """After each test: what the stream says comes to the state and the digest that each record has."""
    yield
    async with Redis.from_url(redis_url) as redis:
        told = AuditModel().replay(await audit_lines(redis, KEYS))
        for action_id, story in told.stories.items():
            state, digest = await redis.hmget(KEYS.action(action_id), "state", "digest")
            assert (story.state, story.digest) == (state.decode(), digest.decode())


class ByWord(SecurityAnalyzer):
    """HIGH for what deletes, LOW for what lists, UNKNOWN for the rest."""

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        command = str(action.arguments.get("command"))
        risks = {"rm": SecurityRisk.HIGH, "ls": SecurityRisk.LOW}
        return risks.get(command.partition(" ")[0], SecurityRisk.UNKNOWN)


class Parked:
    """An action that waits, and the agent that waits for it."""

    def __init__(self, guard: GuardClient, action: ActionEvent) -> None:
        self.guard, self.action = guard, action
        self.waiting = asyncio.create_task(guard.check(action, timeout=20))

    @property
    def id(self) -> str:
        return self.action.id


async def parked(tier: Tier, *, terms: Terms | None = None, accepts: bool = True, **fields: Any) -> Parked:
    guard = tier.client(accept_edits=accepts)
    action = high(**fields).placed_in(0)
    made = Parked(guard, action)
    await until(lambda: is_in(tier, action.id, State.PARKED))
    if terms is not None:
        await tier.redis.hset(KEYS.action(action.id), "terms", terms.to_json())
    return made


async def is_in(tier: Tier, action_id: str, state: State) -> bool:
    try:
        return (await tier.record(action_id)).state is state
    except UnknownAction:
        return False


def colleague(tier: Tier, name: str, *roles: str) -> Any:
    """Somebody who may answer, with these roles."""
    if name not in tier._tokens:
        tier._tokens[name] = approvers.add(tier._approvers_file, name, roles=roles)
    return tier.approver(name)


async def start_under(start_tier: StartTier, folder: Path, policy: str) -> Tier:
    """A tier that rates by the command's first word, under this policy file."""
    file = folder / "policy.toml"
    file.write_text(f"version = 1\n{policy}")
    tier = await start_tier(analyzers=0, policy_file=file)
    await tier.analyzer(analyzers=only(ByWord()))
    return tier


# -- what takes effect -----------------------------------------------------------------------------


async def test_the_agent_gets_the_approvers_arguments_and_runs_those(tier: Tier) -> None:
    asked = await parked(tier)

    said = await tier.approver().edit(asked.id, SAFE, reason="look first")
    verdict = await asked.waiting

    edited = verdict.apply(asked.action)
    assert said == verdict
    assert (verdict.outcome, verdict.decided_by, verdict.reason) == (
        Outcome.APPROVED,
        ("alice",),
        "look first",
    )
    assert edited == asked.action.model_copy(update={"arguments": SAFE})
    assert (verdict.digest, verdict.edited_from) == (edited.digest, asked.action.digest)
    assert '"command": "ls ~/.ssh"' in verdict.feedback
    assert "not with yours" in verdict.feedback
    assert await is_in(tier, asked.id, State.REDEEMED)


async def test_the_story_is_on_the_audit_stream(tier: Tier) -> None:
    asked = await parked(tier)

    verdict = await tier.approver().edit(asked.id, SAFE, reason="look first")
    await asked.waiting

    lines = await tier.audit(asked.id)
    assert [line["event"] for line in lines] == ["assessed", "parked", "edited", "approved", "redeemed"]
    edited, approved = lines[2], lines[3]
    assert (edited["digest"], edited["was"], edited["by"]) == (verdict.digest, asked.action.digest, "alice")
    assert (approved["digest"], approved["by"], approved["reason"]) == (
        verdict.digest,
        "alice",
        "look first",
    )
    assert '"principal":"alice"' in edited["details"]


async def test_what_is_riskier_waits_for_a_fresh_look(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(ByWord()))
    asked = await parked(tier)
    alice = tier.approver()

    said = await alice.edit(asked.id, {"command": "./setup"})

    record = await tier.record(asked.id)
    assert isinstance(said, Revised)
    assert (said.riskier, said.risk, said.allowed) == (True, SecurityRisk.UNKNOWN, False)
    assert "riskier" in said.in_words
    assert (record.state, record.digest, record.votes) == (State.PARKED, said.digest, b"")
    assert record.assessment.risk is SecurityRisk.UNKNOWN
    assert record.action.arguments == {"command": "./setup"}
    with pytest.raises(DigestMismatch):
        await alice.approve(asked.id, digest=asked.action.digest)

    await alice.approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    assert verdict.apply(asked.action).arguments == {"command": "./setup"}
    assert verdict.edited_from == asked.action.digest


async def test_a_riskier_edit_can_be_rejected_and_the_agent_is_told(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    await tier.analyzer(analyzers=only(ByWord()))
    asked = await parked(tier, accepts=True)
    said = await tier.approver().edit(asked.id, {"command": "./setup"})

    await tier.approver().reject(asked.id, digest=said.digest, reason="neither")

    verdict = await asked.waiting
    assert (verdict.outcome, verdict.reason, verdict.arguments) == (Outcome.REJECTED, "neither", None)
    assert verdict.edited_from == asked.action.digest
    with pytest.raises(WrongState):
        verdict.apply(asked.action)
    assert await tier.redis.exists(KEYS.block(asked.action.digest))  # it is what the agent would repeat


async def test_a_rejection_of_the_edited_action_does_not_count_the_editor_as_approving(
    start_tier: StartTier, tmp_path: Path
) -> None:
    tier = await start_under(start_tier, tmp_path, "[fleet.web]\nterms = {approve = 1, reject = 2}")
    asked = await parked(tier)
    said = await tier.approver().edit(asked.id, {"command": "./setup"})

    counted = await tier.approver("bob").reject(asked.id, digest=said.digest, reason="no")

    assert isinstance(counted, Counted)
    assert await is_in(tier, asked.id, State.PARKED)
    asked.waiting.cancel()


async def test_an_edit_is_one_approval_where_more_are_needed(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver("bob").approve(asked.id)  # of what is no more

    said = await tier.approver().edit(asked.id, SAFE)
    assert isinstance(said, Revised)
    assert (said.riskier, said.approved_by, said.approve) == (False, ("alice",), 2)
    assert said.in_words == "changed, 1 of 2 approvals: alice"
    again = await tier.approver().approve(asked.id, digest=said.digest)
    assert isinstance(again, Counted)  # the editor counts once

    await tier.approver("bob").approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    assert verdict.decided_by == ("alice", "bob")
    assert verdict.apply(asked.action).arguments == SAFE


async def test_edited_back_it_is_the_agents_own_action(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2), accepts=True)
    await tier.approver().edit(asked.id, SAFE)

    await tier.approver().edit(asked.id, asked.action.arguments)
    await tier.approver("bob").approve(asked.id, digest=asked.action.digest)

    verdict = await asked.waiting
    assert not verdict.is_edited
    assert verdict.digest == asked.action.digest
    assert (await tier.record(asked.id)).asked is None


async def test_an_edited_edit_still_knows_what_was_asked_for(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver().edit(asked.id, SAFE)
    second = await tier.approver("bob").edit(asked.id, {"command": "ls"})
    assert isinstance(second, Revised)
    assert second.approved_by == ("bob",)

    await tier.approver().approve(asked.id, digest=second.digest)

    verdict = await asked.waiting
    assert verdict.edited_from == asked.action.digest
    assert verdict.arguments == {"command": "ls"}


# -- the agent's side ------------------------------------------------------------------------------


async def test_who_takes_no_edits_gets_none(tier: Tier) -> None:
    asked = await parked(tier, accepts=False)

    with pytest.raises(EditRefused, match="takes no edited arguments") as refused:
        await tier.approver().edit(asked.id, SAFE)

    assert refused.value.field == "accepts"
    assert (await tier.record(asked.id)).digest == asked.action.digest
    await tier.approver().approve(asked.id)
    assert (await asked.waiting).allowed


async def test_another_client_that_takes_no_edits_is_never_allowed_one(tier: Tier) -> None:
    guard = tier.client(accept_edits=True)
    status = await guard.submit(high())
    action = (await tier.record(status.id)).action
    await tier.approver().edit(action.id, SAFE)
    other = tier.client(accept_edits=False)

    with pytest.raises(EditedAction):
        await other.check(action)
    with pytest.raises(EditedAction):
        await other.poll(action)
    with pytest.raises(EditedAction):
        await other.poll(action.id)
    with pytest.raises(EditedAction):
        await other.redeem(action)

    assert await is_in(tier, action.id, State.APPROVED)  # and it is not used up
    assert (await guard.redeem(action)).apply(action).arguments == SAFE


async def test_the_last_client_that_submitted_says_whether_it_takes_edits(tier: Tier) -> None:
    action = high().placed_in(0)
    await tier.client(accept_edits=True).submit(action)
    await tier.client(accept_edits=False).submit(action)

    with pytest.raises(EditRefused):
        await tier.approver().edit(action.id, SAFE)


async def test_a_blocking_client_takes_edits_too(tier: Tier) -> None:
    action = high().placed_in(0)
    blocking = await asyncio.to_thread(
        BlockingGuardClient, tier.url, fleet="web", client_id="b1", accept_edits=True
    )
    waiting = asyncio.create_task(asyncio.to_thread(blocking.check, action, timeout=20))
    await until(lambda: is_in(tier, action.id, State.PARKED))

    await tier.approver().edit(action.id, SAFE)

    assert (await waiting).apply(action).arguments == SAFE
    await asyncio.to_thread(blocking.close)


async def test_a_restarted_agent_finds_its_own_action_again(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver().edit(asked.id, SAFE)
    guard = tier.client(accept_edits=True)

    (found,) = await guard.pending("agent-1")
    polled = await guard.poll(asked.action)
    submitted = await guard.submit(asked.action)

    assert (found.action, found.digest) == (asked.action, asked.action.digest)
    assert polled.state is submitted.state is State.PARKED
    with pytest.raises(ActionConflict):  # the edited action is nobody's to submit
        await guard.submit(asked.action.model_copy(update={"arguments": SAFE}))
    asked.waiting.cancel()


async def test_what_expires_after_an_edit_is_told_as_the_agents_own(start_tier: StartTier) -> None:
    tier = await start_tier(park_seconds=600)
    asked = await parked(tier, terms=Terms(approve=2))
    await tier.approver().edit(asked.id, SAFE)
    await tier.redis.hset(KEYS.action(asked.id), "deadline", 1)
    await tier.redis.zadd(KEYS.parked, {asked.id: 1})

    await tier.steward().sweep()

    verdict = await asked.waiting
    assert (verdict.outcome, verdict.edited_from) == (Outcome.EXPIRED, asked.action.digest)


# -- what the policy says of it --------------------------------------------------------------------


async def test_what_the_policy_rejects_is_refused_and_the_action_waits_on(
    start_tier: StartTier, tmp_path: Path
) -> None:
    rule = '[[rule]]\nname = "no-ls"\nrisk = ["LOW"]\noutcome = "reject"\nreason = "never here"'
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier)

    with pytest.raises(EditRefused, match=r"no-ls.*never here") as refused:
        await tier.approver().edit(asked.id, SAFE)

    record = await tier.record(asked.id)
    assert refused.value.field == "policy"
    assert (record.state, record.digest, record.edit) == (State.PARKED, asked.action.digest, b"")
    assert (await tier.events(asked.id))[-1] == "edit_refused"
    await tier.approver().approve(asked.id)
    assert (await asked.waiting).allowed


async def test_an_edit_leads_past_no_quorum_and_no_role(start_tier: StartTier, tmp_path: Path) -> None:
    rule = (
        '[[rule]]\nname = "prod"\nrisk = ["LOW"]\noutcome = "park"\nterms = {approve = 2, roles = ["dba"]}'
    )
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier)
    colleague(tier, "dora", "dba")

    with pytest.raises(NotAuthorized, match="dba"):
        await tier.approver().edit(asked.id, SAFE)
    assert (await tier.record(asked.id)).digest == asked.action.digest

    said = await colleague(tier, "dora", "dba").edit(asked.id, SAFE)
    assert isinstance(said, Revised)
    assert (said.approved_by, said.approve) == (("dora",), 2)
    with pytest.raises(NotAuthorized, match="dba"):
        await tier.approver().approve(asked.id, digest=said.digest)
    await colleague(tier, "dirk", "dba").approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    assert verdict.decided_by == ("dora", "dirk")
    assert (await tier.record(asked.id)).policy == verdict.policy


@pytest.mark.parametrize(
    "matcher", ['label = ["secret.read"]', 'target = ["*/.aws/*"]', "when = 'size(action.arguments) == 1'"]
)
async def test_rules_look_at_the_edited_action(start_tier: StartTier, tmp_path: Path, matcher: str) -> None:
    rule = f'[[rule]]\nname = "secrets"\nrisk = ["UNKNOWN"]\n{matcher}\noutcome = "reject"'
    tier = await start_under(start_tier, tmp_path, rule)
    asked = await parked(tier)

    with pytest.raises(EditRefused, match="secrets"):
        await tier.approver().edit(asked.id, {"command": "cat ~/.aws/credentials"})
    asked.waiting.cancel()


async def test_what_the_policy_would_release_still_needs_those_that_the_action_waited_for(
    start_tier: StartTier, tmp_path: Path
) -> None:
    tier = await start_under(start_tier, tmp_path, "[fleet.web]\nterms = {approve = 2}")
    asked = await parked(tier)

    said = await tier.approver().edit(asked.id, SAFE)

    assert isinstance(said, Revised)
    assert (said.approve, said.risk) == (2, SecurityRisk.LOW)
    asked.waiting.cancel()


async def test_a_block_or_a_halt_that_came_meanwhile_counts(tier: Tier) -> None:
    asked = await parked(tier)
    edited = asked.action.model_copy(update={"arguments": SAFE})
    block = b'{"reason":"not even that","by":"bob","id":"a.0","until":9999999999999}'
    await tier.redis.set(KEYS.block(edited.digest), block)

    with pytest.raises(EditRefused, match="not even that"):
        await tier.approver().edit(asked.id, SAFE)

    await tier.redis.hset(KEYS.halts, "web", b'{"reason":"halted for now","by":"bob","at":1}')
    with pytest.raises(EditRefused, match="halted"):
        await tier.approver().edit(asked.id, {"command": "ls"})
    assert await is_in(tier, asked.id, State.PARKED)
    asked.waiting.cancel()


@pytest.mark.parametrize(
    ("terms", "error", "field"),
    [
        (Terms(may_edit=False), EditRefused, "terms"),
        (Terms(roles=("dba",)), NotAuthorized, "roles"),
        (Terms(reason_required=True), InvalidAnswer, "reason"),
    ],
)
async def test_the_terms_say_who_may_edit_and_how(
    tier: Tier, terms: Terms, error: type[Exception], field: str
) -> None:
    asked = await parked(tier, terms=terms)

    with pytest.raises(error) as refused:
        await tier.approver().edit(asked.id, SAFE)

    assert refused.value.field == field  # type: ignore[attr-defined]
    assert (await tier.record(asked.id)).edit == b""
    asked.waiting.cancel()


# -- bad input -------------------------------------------------------------------------------------


async def test_nobody_edits_their_own_action_or_another_fleets(tier: Tier) -> None:
    own = await parked(tier, agent="alice")
    theirs = await parked(tier)

    with pytest.raises(NotAuthorized):
        await tier.approver().edit(own.id, SAFE)
    with pytest.raises(UnknownAction):
        await tier.approver("carl", fleets=["ops"]).edit(theirs.id, SAFE)
    with pytest.raises(NotAuthorized):
        await tier.impostor().edit(theirs.id, SAFE)
    own.waiting.cancel()
    theirs.waiting.cancel()


@pytest.mark.parametrize(
    "arguments",
    [{"x": float("nan")}, {"x": 2**70}, {"x": "\ud800"}, {"x": "y" * 1024 * 1024}, {1: "x"}, [1], None],
    ids=["nan", "big", "surrogate", "long", "key", "list", "none"],
)
async def test_an_edited_action_that_is_none_is_refused_before_it_is_sent(
    tier: Tier, arguments: Any
) -> None:
    with pytest.raises(InvalidAction):
        await tier.approver().edit("a1.0", arguments, digest="0" * 64)


async def test_nothing_changed_is_no_edit(tier: Tier) -> None:
    asked = await parked(tier)

    with pytest.raises(InvalidAnswer, match="approve it instead"):
        await tier.approver().edit(asked.id, asked.action.arguments)
    with pytest.raises(DigestMismatch):
        await tier.approver().edit(asked.id, SAFE, digest="0" * 64)
    asked.waiting.cancel()


async def test_what_is_decided_is_not_edited(tier: Tier) -> None:
    asked = await parked(tier)
    await tier.approver().reject(asked.id, reason="no")
    await asked.waiting

    with pytest.raises(WrongState, match="rejected"):
        await tier.approver().edit(asked.id, SAFE)


# -- while it is being rated -----------------------------------------------------------------------


async def start_gated(start_tier: StartTier) -> tuple[Tier, Parked, Gate, Any]:
    """A parked action whose edits nobody rates until the gate is opened."""
    tier = await start_tier()
    asked = await parked(tier)
    await tier.workers[0].stop()
    tier.workers.pop(0)
    gate = Gate()
    await tier.analyzer(analyzers=only(gate))
    editing = asyncio.create_task(tier.approver().edit(asked.id, SAFE))
    await until(lambda: gate.entered)
    return tier, asked, gate, editing


async def test_one_edit_is_rated_at_a_time(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    with pytest.raises(EditRefused, match="another edit"):
        await tier.approver("bob").edit(asked.id, {"command": "ls"})
    gate.open.set()

    assert (await editing).allowed
    assert (await asked.waiting).arguments == SAFE


async def test_who_answers_meanwhile_wins_and_the_editor_is_told(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    await tier.approver("bob").approve(asked.id)
    verdict = await asked.waiting
    gate.open.set()

    assert not verdict.is_edited
    with pytest.raises(WrongState):
        await editing
    await tier.idle()
    record = await tier.record(asked.id)
    assert (record.digest, record.edit) == (asked.action.digest, b"")


async def test_the_deadline_counts_for_edits_too(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    await tier.redis.hset(KEYS.action(asked.id), "deadline", 1)
    gate.open.set()

    with pytest.raises(WrongState, match="deadline"):
        await editing
    asked.waiting.cancel()


async def test_an_approver_who_was_removed_meanwhile_edits_nothing(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)

    tier._approvers_file.write_text("")
    gate.open.set()

    with pytest.raises(NotAuthorized):
        await editing
    assert (await tier.record(asked.id)).digest == asked.action.digest
    asked.waiting.cancel()


async def test_an_edit_that_can_not_be_rated_waits_for_a_fresh_look(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=1)
    running = await tier.analyzer()
    asked = await parked(tier)
    await running.stop()
    tier.workers.remove(running)
    editing = asyncio.create_task(tier.approver().edit(asked.id, SAFE))
    await until(lambda: tier.redis.xlen(KEYS.edits))
    await tier.redis.xreadgroup("analyzers", "gone", {KEYS.edits: ">"})
    ((entry, _),) = await tier.redis.xrange(KEYS.edits)
    most = tier.settings.max_deliveries
    await tier.redis.xclaim(
        KEYS.edits, "analyzers", "gone", 0, [entry], idle=60_000, retrycount=most, justid=True
    )

    await tier.analyzer()

    said = await editing
    assert isinstance(said, Revised)
    assert said.riskier
    assert [found.id for found in said.findings] == ["analysis.failed"]
    asked.waiting.cancel()


async def test_an_edit_that_can_not_be_judged_leaves_the_action_as_it_was(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)
    policy = next(running for running in tier.workers if running.worker.kind == "policy")
    await policy.stop()
    tier.workers.remove(policy)
    gate.open.set()
    await until(lambda: _newest_is_edit(tier))
    ((entry, _),) = await tier.redis.xrevrange(KEYS.assessed, count=1)
    await tier.redis.xreadgroup("policies", "gone", {KEYS.assessed: ">"})
    most = tier.settings.max_deliveries
    await tier.redis.xclaim(
        KEYS.assessed, "policies", "gone", 0, [entry], idle=60_000, retrycount=most, justid=True
    )

    await tier.policy()

    with pytest.raises(AnalysisFailed):
        await editing
    record = await tier.record(asked.id)
    assert (record.state, record.digest, record.edit) == (State.PARKED, asked.action.digest, b"")
    asked.waiting.cancel()


async def _newest_is_edit(tier: Tier) -> bool:
    newest = await tier.redis.xrevrange(KEYS.assessed, count=1)
    return bool(newest) and newest[0][1].get(b"op") == b"edited"


# -- sent and delivered more than once -------------------------------------------------------------


async def test_the_same_edit_sent_again_changes_nothing_and_is_told_again(tier: Tier) -> None:
    asked = await parked(tier, terms=Terms(approve=2))
    said = await tier.approver().edit(asked.id, SAFE)
    ((_, fields),) = [
        (entry, found)
        for entry, found in await tier.redis.xrange(KEYS.answers)
        if found.get(b"op") == b"edit"
    ] or [(None, None)]
    before = await tier.redis.hgetall(KEYS.action(asked.id))

    entry = await tier.redis.xadd(KEYS.answers, fields)
    reply = await told(tier, fields[b"client"].decode(), entry)

    assert Revised.model_validate_json(reply[b"body"]) == said
    assert await tier.redis.hgetall(KEYS.action(asked.id)) == before
    await tier.approver("bob").approve(asked.id, digest=said.digest)
    verdict = await asked.waiting
    entry = await tier.redis.xadd(KEYS.answers, fields)
    reply = await told(tier, fields[b"client"].decode(), entry)
    assert Verdict.from_json(reply[b"verdict"]) == verdict
    assert (await tier.events(asked.id)).count("edited") == 1


async def test_an_edit_sent_again_while_it_is_rated_is_rated_once(start_tier: StartTier) -> None:
    tier, asked, gate, editing = await start_gated(start_tier)
    (fields,) = [found for _, found in await tier.redis.xrange(KEYS.answers) if found.get(b"op") == b"edit"]

    entry = await tier.redis.xadd(KEYS.answers, fields)
    await until(lambda: _is_asking(tier, asked.id, entry))
    gate.open.set()

    reply = await told(tier, fields[b"client"].decode(), entry)
    assert b"verdict" in reply
    assert gate.entered == 1
    assert (await asked.waiting).arguments == SAFE
    assert (await editing).allowed  # who asked first is told as well


async def _is_asking(tier: Tier, action_id: str, entry: bytes) -> bool:
    return entry in await tier.redis.hget(KEYS.action(action_id), "asking")


async def told(tier: Tier, client: str, entry: bytes) -> dict[bytes, bytes]:
    async def found() -> dict[bytes, bytes] | None:
        for _, fields in await tier.redis.xrange(KEYS.told(client)):
            if fields.get(b"entry") == entry:
                return dict(fields)
        return None

    reply: dict[bytes, bytes] = await until(found)
    return reply


async def test_nobody_hears_of_an_edit_that_nobody_rates(start_tier: StartTier) -> None:
    tier = await start_tier()
    asked = await parked(tier)
    await tier.workers[0].stop()
    tier.workers.pop(0)

    with pytest.raises(GuardTimeout):
        await tier.approver().edit(asked.id, SAFE, timeout=0.5)

    await tier.approver("bob").reject(asked.id, reason="no")  # the action can be answered all the while
    assert (await asked.waiting).outcome is Outcome.REJECTED
