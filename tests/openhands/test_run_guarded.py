"""run_guarded with the real SDK, its own test model, and a real tier."""

from __future__ import annotations

from typing import Any

import pytest
from agents import Rig, calls, says
from openhands.sdk.conversation.state import ConversationExecutionStatus as Status
from openhands.sdk.llm import Message, MessageToolCall
from tiers import Tier

from guardtier import GuardClient, SecurityRisk, State
from guardtier.adapters.openhands import Step, run_guarded
from guardtier.errors import ConfigError
from guardtier.store.records import Record


def test_a_released_action_runs(tier: Tier, rig: Rig) -> None:
    conversation, model = rig.conversation(calls("ls"), says("done"))
    conversation.send_message("go")

    status = run_guarded(conversation, tier.client())

    assert status is Status.FINISHED
    assert rig.ran == ["ls"]
    assert "ran ls" in model.read


def test_a_parked_action_runs_only_after_approval(tier: Tier, rig: Rig, dangerous: str) -> None:
    conversation, _ = rig.conversation(calls(dangerous), says("done"))
    conversation.send_message("go")
    found: list[Record] = []

    def approve(record: Record) -> None:
        assert rig.ran == []
        found.append(record)
        tier.approve(record)

    with tier.when_parked(dangerous, approve):
        status = run_guarded(conversation, tier.client())

    assert status is Status.FINISHED
    assert rig.ran == [dangerous]
    assert tier.record(found[0].id).state is State.REDEEMED


def test_a_rejected_action_never_runs_and_the_model_reads_why(tier: Tier, rig: Rig, dangerous: str) -> None:
    conversation, model = rig.conversation(calls(dangerous), says("understood"))
    conversation.send_message("go")

    with tier.when_parked(dangerous, lambda it: tier.reject(it, "move it aside instead")):
        status = run_guarded(conversation, tier.client())

    assert status is Status.FINISHED
    assert rig.ran == []
    assert "move it aside instead" in model.read


def test_one_rejected_action_rejects_its_step_and_each_is_named(
    tier: Tier, rig: Rig, dangerous: str
) -> None:
    commands = ("ls", dangerous, "git status")
    conversation, model = rig.conversation(calls(*commands), calls("pwd"), says("done"))
    conversation.send_message("go")

    with tier.when_parked(dangerous, lambda it: tier.reject(it, "not the cluster's keys")):
        run_guarded(conversation, tier.client())

    assert rig.ran == ["pwd"]  # the step after it is another matter
    lines = [line for line in model.read.splitlines() if line[1:].startswith(". terminal")]
    assert all(command in line for command, line in zip(commands, lines[:3], strict=True))
    assert "rejected by operator: not the cluster's keys" in lines[1]
    assert "allowed, but held back with the step" in lines[0]


def test_the_tier_sees_the_call_as_it_will_run(tier: Tier, rig: Rig, dangerous: str) -> None:
    step = calls(dangerous, thought="It is full.", security_risk="LOW", summary="tidy up")
    conversation, _ = rig.conversation(step, says("done"))
    conversation.send_message("go")
    found: list[Record] = []

    def look(record: Record) -> None:
        found.append(record)
        tier.reject(record, "no")

    with tier.when_parked(dangerous, look):
        run_guarded(conversation, tier.client(), agent="cleaner")

    action = found[0].action
    assert (action.agent, action.conversation) == ("cleaner", str(conversation.id))
    assert action.arguments == {"command": dangerous, "env": None}
    assert (action.summary, action.thought) == ("tidy up", "It is full.")
    assert action.security_risk is SecurityRisk.LOW  # the model's own label: a claim, and not the rating
    assert action.annotations is not None
    assert action.annotations.model_dump(exclude_none=True) == {"title": "terminal", "openWorldHint": True}


def test_nobody_answers_in_time(tier: Tier, rig: Rig, dangerous: str) -> None:
    conversation, model = rig.conversation(calls(dangerous), says("done"))
    conversation.send_message("go")

    run_guarded(conversation, tier.client(), timeout=0.2)

    assert rig.ran == []
    assert "nobody has answered" in model.read


def test_a_tier_that_stands_still(tier: Tier, rig: Rig) -> None:
    conversation, model = rig.conversation(calls("ls"), says("done"))
    conversation.send_message("go")

    with tier.frozen():
        run_guarded(conversation, tier.client(), rating_seconds=0.3)

    assert rig.ran == []
    assert "too slow" in model.read


def test_a_tier_that_is_away(nowhere: Any, rig: Rig) -> None:
    conversation, model = rig.conversation(calls("ls"), says("done"))
    conversation.send_message("go")

    run_guarded(conversation, nowhere, rating_seconds=0.3)

    assert rig.ran == []
    assert "can't be reached" in model.read


def test_what_cant_be_said_exactly_is_rejected(tier: Tier, rig: Rig) -> None:
    conversation, model = rig.conversation(calls("ls", env={"n": 2**70}), says("done"))
    conversation.send_message("go")

    run_guarded(conversation, tier.client())

    assert rig.ran == []
    assert "invalid_action" in model.read


def test_finish_leaves_nothing_behind_that_runs_later(tier: Tier, rig: Rig) -> None:
    finish = MessageToolCall(id="f", name="finish", arguments='{"message": "done"}', origin="completion")
    both = Message(role="assistant", content=[], tool_calls=[finish, *(calls("ls").tool_calls or [])])
    conversation, model = rig.conversation(both, says("done"))
    conversation.send_message("go")
    client = tier.client()
    assert run_guarded(conversation, client) is Status.FINISHED

    conversation.send_message("thanks")  # the SDK drops what follows a finish, and runs it now
    run_guarded(conversation, client)

    assert rig.ran == []
    assert "may have run" in model.read


def test_the_steps_are_bounded(tier: Tier, rig: Rig) -> None:
    conversation, _ = rig.conversation(calls("ls"), calls("pwd"), calls("whoami"), says("never said"))
    conversation.send_message("go")

    status = run_guarded(conversation, tier.client(), max_steps=2)

    assert status is Status.ERROR
    assert rig.ran == ["ls"]


def test_what_listens_may_fail(tier: Tier, rig: Rig) -> None:
    conversation, _ = rig.conversation(calls("ls"), says("done"))
    conversation.send_message("go")

    def listen(step: Step) -> None:
        raise RuntimeError(step.rulings[0].call)

    with pytest.raises(RuntimeError, match="ls"):
        run_guarded(conversation, tier.client(), on_step=listen)
    assert rig.ran == []

    assert run_guarded(conversation, tier.client()) is Status.FINISHED
    assert rig.ran == ["ls"]


def test_an_agents_name_that_the_tier_would_refuse(tier: Tier, rig: Rig) -> None:
    conversation, _ = rig.conversation(calls("ls"))

    with pytest.raises(ConfigError, match="agent"):
        run_guarded(conversation, tier.client(), agent="my agent")


def test_an_async_client_is_refused(tier: Tier, rig: Rig) -> None:
    conversation, _ = rig.conversation(calls("ls"))

    with pytest.raises(ConfigError, match="BlockingGuardClient"):
        run_guarded(conversation, GuardClient.__new__(GuardClient))  # type: ignore[arg-type]
