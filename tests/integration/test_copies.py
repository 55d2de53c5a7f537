"""An answer may be counted with a copy of the record; what takes effect is judged by the record alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier import Assessment, Outcome, SecurityRisk, State, Verdict
from guardtier.errors import InvalidAnswer, NotAuthorized
from guardtier.policy.grants import Pattern, Remember, Scope
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier.store.records import Record, Records
from guardtier_workers import copies
from guardtier_workers.clock import now_ms
from guardtier_workers.copies import Copies
from tier import StartTier, Tier, high
from waiting import until

KEYS = Keys(0)
FOR_DBAS = '[[rule]]\nname = "dbas"\ntool = "*"\noutcome = "park"\nterms = { roles = ["dba"] }\n'


async def test_terms_that_have_changed_since_count(tier: Tier) -> None:
    action = high().placed_in(0)
    await tier.client().submit(action)
    await tier.parked()
    await tier.redis.hset(KEYS.action(action.id), "terms", Terms(roles=("dba",)).to_json())

    with pytest.raises(NotAuthorized, match="role dba"):
        await tier.approver().approve(action.id)

    assert (await tier.record(action.id)).state is State.PARKED


async def test_votes_that_others_have_counted_since_count(tier: Tier) -> None:
    action = high().placed_in(0)
    await tier.client().submit(action)
    await tier.parked()
    await tier.redis.hset(KEYS.action(action.id), "terms", Terms(approve=2).to_json())

    first = await tier.approver("alice").approve(action.id)
    second = await tier.approver("bert").approve(action.id)

    assert isinstance(first, Counted)
    assert isinstance(second, Verdict)
    assert second.decided_by == ("alice", "bert")


async def test_what_a_copy_would_refuse_the_record_may_allow(start_tier: StartTier, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("version = 1\n" + FOR_DBAS)
    tier = await start_tier(policy_file=file)
    action = high().placed_in(0)
    await tier.client().submit(action)
    await tier.parked()
    await tier.redis.hset(KEYS.action(action.id), "terms", Terms().to_json())

    verdict = await tier.approver().approve(action.id)

    assert isinstance(verdict, Verdict)
    assert verdict.outcome is Outcome.APPROVED


async def test_copies_are_bounded_by_what_they_hold(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST_BYTES", 1000)
    kept = Copies(Records(tier.redis, 1))

    for number in range(5):
        kept.put(_record(f"a{number}.0", 300))
    kept.put(_record("large.0", 2000))

    assert [kept.take(f"a{number}.0") is None for number in range(5)] == [True] * 5
    assert kept.take("large.0") is None
    kept.put(_record("small.0", 300))
    assert kept.take("small.0") is not None
    assert kept.take("small.0") is None  # each serves once


async def test_copies_whose_deadline_has_passed_go(tier: Tier) -> None:
    kept = Copies(Records(tier.redis, 1))
    for number in range(copies.SWEEP - 1):
        kept.put(_record(f"over{number}.0", 10, deadline=1))

    kept.put(_record("waits.0", 10, deadline=now_ms() + 60_000))

    assert kept.take("over0.0") is None
    assert kept.take(f"over{copies.SWEEP - 2}.0") is None
    assert kept.take("waits.0") is not None


def _record(action_id: str, size: int, *, deadline: int | None = None) -> Record:
    rated = Assessment(risk=SecurityRisk.HIGH)
    return Record(action_id, State.PARKED, "web", "", "0" * 64, b"x" * size, 0, rated, deadline=deadline)


async def test_a_copy_of_a_record_that_was_lost_and_made_anew_counts_for_nothing(tier: Tier) -> None:
    """Redis came back from an older copy, and the client has asked again: another rating may stand now."""
    action = high().placed_in(0)
    await tier.client().submit(action)
    await tier.parked()
    failed = Assessment(risk=SecurityRisk.HIGH, failed=True)
    anew = {"assessment": failed.to_json(), "entry": "1-0"}
    await tier.redis.hset(KEYS.action(action.id), mapping=anew)

    wish = Remember(pattern=Pattern.EXACT, scope=Scope.AGENT)
    with pytest.raises(InvalidAnswer):
        await tier.approver().approve(action.id, digest=action.digest, remember=wish)

    assert (await tier.record(action.id)).state is State.PARKED


@pytest.mark.parametrize(
    ("size", "state", "is_kept"), [(10, "parked", True), (70_000, "parked", False), (10, "expired", False)]
)
async def test_no_copy_is_kept_of_what_is_long_or_decided(
    tier: Tier, size: int, state: str, is_kept: bool
) -> None:
    """A worker decides nothing while it reads a megabyte, and what is decided can't be answered."""
    action = high("x" * size).placed_in(0)
    await tier.client().submit(action)
    await tier.parked()
    await tier.redis.hset(KEYS.action(action.id), "state", state)
    running = tier.workers[-1].worker
    kept = Copies(tier.records)

    kept.keep(action.id, running.lanes[0])
    await until(lambda: not kept.is_reading)

    assert (kept.take(action.id) is not None) == is_kept
