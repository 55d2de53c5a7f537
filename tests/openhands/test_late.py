"""A verdict is used while it is good: what was let go meanwhile is asked for again, or does not run."""

from __future__ import annotations

from pathlib import Path
from time import time

import pytest
from agents import Rig, calls, says
from openhands.sdk.conversation.state import ConversationExecutionStatus as Status
from tiers import RELEASED_SECONDS, Tier, until

from guardtier import BlockingGuardClient
from guardtier.adapters.openhands import Step, run_guarded
from guardtier.store.records import Record
from guardtier.verifying import Verifier


class Clock:
    """This machine's clock, or one that is ahead."""

    ahead = 0.0  #: seconds

    def __call__(self) -> int:
        return int((time() + self.ahead) * 1000)


def strict(tier: Tier, clock: Clock | None = None) -> BlockingGuardClient:
    """An agent that gives a release no second more than the tier does."""
    keys = Path(tier.body["verdict_keys"])
    return tier.client(verdict_keys=Verifier(file=keys, leeway=0, clock=clock))


def outwait() -> None:
    ends = time() + RELEASED_SECONDS
    until(lambda: time() > ends)


def test_a_release_that_is_over_when_the_others_are_answered_is_asked_for_again(
    tier: Tier, rig: Rig, dangerous: str
) -> None:
    conversation, _ = rig.conversation(calls("ls", dangerous), says("done"))
    conversation.send_message("go")
    steps: list[Step] = []

    def approve_late(record: Record) -> None:
        outwait()
        tier.approve(record)

    with tier.when_parked(dangerous, approve_late):
        status = run_guarded(conversation, strict(tier), on_step=steps.append)

    assert status is Status.FINISHED
    assert rig.ran == ["ls", dangerous]
    assert [step.allowed for step in steps] == [True, True]
    first, last = (step.rulings[0].verdict for step in steps)
    assert first is not None
    assert last is not None
    assert first.id != last.id
    assert last.decided_at >= (first.valid_until or 0)


def test_a_release_of_before_a_restart_is_asked_for_again(tier: Tier, rig: Rig) -> None:
    conversation, _ = rig.conversation(calls("ls"), says("done"))
    conversation.send_message("go")

    def stop(_step: Step) -> None:
        raise RuntimeError("the agent stops")

    with pytest.raises(RuntimeError, match="stops"):
        run_guarded(conversation, strict(tier), on_step=stop)
    outwait()

    assert run_guarded(conversation, strict(tier)) is Status.FINISHED
    assert rig.ran == ["ls"]


def test_where_no_release_is_good_by_this_machines_clock_nothing_runs(
    tier: Tier, rig: Rig, dangerous: str
) -> None:
    conversation, model = rig.conversation(calls("ls", dangerous), says("done"))
    conversation.send_message("go")
    clock = Clock()

    def approve(record: Record) -> None:
        clock.ahead = 3600.0
        tier.approve(record)

    with tier.when_parked(dangerous, approve):
        run_guarded(conversation, strict(tier, clock))

    assert rig.ran == []
    assert "stale_verdict" in model.read


def test_what_an_approver_changed_does_not_run_with_its_own_arguments(
    tier: Tier, rig: Rig, dangerous: str
) -> None:
    """The SDK can't change a call that the model has made, whatever its client accepts."""
    conversation, model = rig.conversation(calls(dangerous), says("done"))
    conversation.send_message("go")

    with tier.when_parked(dangerous, lambda record: tier.edit(record, command="ls", env=None)):
        run_guarded(conversation, tier.client(accept_edits=True))

    assert rig.ran == []
    assert "changed" in model.read
