"""A restart in between changes nothing, wherever it comes; nothing runs twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkProcess

import pytest
from agents import DIES, Rig, calls, says
from openhands.sdk.security.confirmation_policy import AlwaysConfirm
from tiers import Tier, until

from guardtier import State
from guardtier.adapters.openhands import Desk, Step, run_guarded
from guardtier.adapters.openhands.seal import NO_VERDICT

#: A fork, since importing the SDK takes 7 s of CPU.
_FORK = get_context("fork")


@contextmanager
def agent_process(rig: Rig, tier: Tier, *commands: str, dies: bool = False) -> Iterator[ForkProcess]:
    """An agent whose model asks for these; killed (SIGKILL) where the block ends, if it still lives.

    The block begins when the SDK has saved the step. (What it has not saved, it forgets in a crash.)
    """

    def live() -> None:
        if dies:
            os.environ[DIES] = "1"
        conversation, _ = rig.conversation(calls(*commands))
        conversation.send_message("go")
        run_guarded(conversation, tier.client())

    process = _FORK.Process(target=live)
    process.start()
    try:
        until(lambda: rig.is_waiting or process.exitcode is not None)
        yield process
    finally:
        process.kill()
        process.join(60)


def test_what_was_parked_stays_parked_and_runs_once(tier: Tier, rig: Rig, dangerous: str) -> None:
    with agent_process(rig, tier, dangerous):
        parked = tier.parked(dangerous)

    conversation, _ = rig.conversation(says("done"))
    with tier.when_parked(dangerous, tier.approve):
        run_guarded(conversation, tier.client())

    assert rig.ran == [dangerous]
    assert tier.record(parked.id).state is State.REDEEMED  # the same action, under the same id
    assert tier.waiting(dangerous) == []


def test_an_answer_that_came_while_the_agent_was_away_is_heard(
    tier: Tier, rig: Rig, dangerous: str
) -> None:
    with agent_process(rig, tier, dangerous):
        parked = tier.parked(dangerous)
    tier.approve(parked)
    assert rig.ran == []

    conversation, _ = rig.conversation(says("done"))
    run_guarded(conversation, tier.client())

    assert rig.ran == [dangerous]


def test_a_rejection_that_came_while_the_agent_was_away_is_heard(
    tier: Tier, rig: Rig, dangerous: str
) -> None:
    with agent_process(rig, tier, dangerous):
        parked = tier.parked(dangerous)
    tier.reject(parked, "keep the settings")

    conversation, model = rig.conversation(says("done"))
    run_guarded(conversation, tier.client())

    assert rig.ran == []
    assert "keep the settings" in model.read


@pytest.mark.parametrize("parked", [False, True], ids=["released", "approved"])
def test_killed_while_the_tool_runs(tier: Tier, rig: Rig, dangerous: str, parked: bool) -> None:
    command = dangerous if parked else "ls"
    with agent_process(rig, tier, command, dies=True) as process:
        if parked:
            tier.approve(tier.parked(command))
        until(lambda: process.exitcode is not None)

    conversation, model = rig.conversation(says("I shall look"))
    run_guarded(conversation, tier.client())

    assert rig.ran == [command]  # by the first process
    assert "may have run" in model.read


def test_stopped_between_redeeming_and_running(tier: Tier, rig: Rig, dangerous: str) -> None:
    conversation, _ = rig.conversation(calls(dangerous))
    conversation.send_message("go")

    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    with (
        tier.when_parked(dangerous, tier.approve),
        pytest.raises(KeyboardInterrupt),
    ):
        run_guarded(conversation, tier.client(), on_step=stop)

    again, model = rig.conversation(says("done"))
    run_guarded(again, tier.client())

    assert rig.ran == []
    assert "already_redeemed" in model.read


def test_run_by_mistake_after_a_restart_runs_nothing(tier: Tier, rig: Rig, dangerous: str) -> None:
    with agent_process(rig, tier, dangerous):
        tier.parked(dangerous)

    conversation, model = rig.conversation(says("done"))
    conversation.run()  # the SDK takes this for an approval

    assert rig.ran == []
    assert NO_VERDICT in model.read


def test_a_conversation_that_nobody_guarded_before(tier: Tier, rig: Rig, dangerous: str) -> None:
    first, _ = rig.conversation(calls("ls", dangerous))
    first.set_confirmation_policy(AlwaysConfirm())
    first.send_message("go")
    first.run()  # two actions are pending, and the tier has never heard of them

    conversation, model = rig.conversation(says("done"))
    with tier.when_parked(dangerous, lambda it: tier.reject(it, "not the vault")):
        run_guarded(conversation, tier.client())

    assert rig.ran == []
    assert "not the vault" in model.read


def test_a_verdict_for_other_arguments_is_none(tier: Tier, rig: Rig, dangerous: str) -> None:
    conversation, model = rig.conversation(calls(dangerous), says("done"))
    conversation.set_confirmation_policy(AlwaysConfirm())
    conversation.send_message("go")
    conversation.run()
    client = tier.client()
    desk = Desk(conversation, client)
    asked = desk.action(desk.seal.pending()[0])
    harmless = asked.model_copy(update={"arguments": {"command": "ls"}})
    assert client.check(harmless).allowed  # somebody got a yes under this action's id

    run_guarded(conversation, client)

    assert rig.ran == []
    assert "action_conflict" in model.read
