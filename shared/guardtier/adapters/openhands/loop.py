"""run_guarded: the loop around ``conversation.run()``, which is reached with verdicts only."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from openhands.sdk import LocalConversation
from openhands.sdk.conversation.state import ConversationExecutionStatus

from guardtier.action import LABEL
from guardtier.adapters.openhands.desk import RATING_SECONDS, Desk
from guardtier.adapters.openhands.policies import (
    GuardtierConfirmationPolicy,
    GuardtierSecurityAnalyzer,
)
from guardtier.adapters.openhands.steps import Step
from guardtier.blocking import BlockingGuardClient
from guardtier.client import DEFAULT_TIMEOUT
from guardtier.errors import ConfigError, GuardtierError

log = logging.getLogger(__name__)

_CHANGES = 10  #: how often the pending actions may change while the tier is asked about them


def run_guarded(
    conversation: Any,
    client: BlockingGuardClient,
    *,
    agent: str | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    rating_seconds: float = RATING_SECONDS,
    max_steps: int | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Any:
    """Run a conversation to its end; the tier is asked before each step. Returns its status.

    Use it wherever you would call ``conversation.run()``, also after a restart: what was pending is
    asked for again, under the ids that it had, and gets the verdict that it has. A step whose
    actions are all allowed runs; otherwise all of it is rejected, and the model reads what was said of
    each. Whatever goes wrong is a no.

    ``timeout`` (seconds; None: the tier's own deadlines) is how long one step waits for people,
    ``rating_seconds`` how long for the tier's rating of an action. ``agent`` names the agent to the
    tier (default: the name of its class). ``max_steps`` bounds the steps (default: the
    conversation's ``max_iteration_per_run``, which the SDK itself counts anew in each ``run()``); at the
    end the status is ERROR. ``on_step`` is told each step before it runs or is rejected, once more where it
    has changed, or a release was over, in between.

    *A process may end anywhere.* Before the SDK has saved the step: it is forgotten, and the model asks
    anew. Before the verdict: the action is still pending and sealed, and asked for again. After the
    approval was redeemed, or the action let through, and before its result was saved: nobody can know
    whether it ran, so it is rejected, and the model is told that it may have run.

    Raises ConfigError for a conversation that can't be guarded, and what ``conversation.run()``
    raises. While an exception passes, what is pending stays sealed.
    """
    desk = guard(conversation, client, agent=agent, rating_seconds=rating_seconds)
    steps = conversation.max_iteration_per_run if max_steps is None else max_steps
    for _ in range(steps):
        _settle(desk, timeout, on_step)
        try:
            conversation.run()
        finally:
            desk.seal.close(desk.seal.pending())
        status = conversation.state.execution_status
        if status is not ConversationExecutionStatus.WAITING_FOR_CONFIRMATION:
            return status
    _reject(desk, f"The guard rejected this step: the limit of {steps} steps is reached. It did not run.")
    with conversation.state:
        conversation.state.execution_status = ConversationExecutionStatus.ERROR
    log.error("%s: the limit of %d steps is reached", conversation.id, steps)
    return ConversationExecutionStatus.ERROR


def guard(
    conversation: Any,
    client: BlockingGuardClient,
    *,
    agent: str | None = None,
    rating_seconds: float = RATING_SECONDS,
) -> Desk:
    """Set analyzer and policy on a conversation, and seal what is pending. ``run_guarded`` does it too.

    Returns the desk that asks for it. From here on ``conversation.run()`` runs nothing that has no
    verdict. Any other analyzer or policy of the conversation is replaced. Raises ConfigError for a
    conversation that can't be guarded.
    """
    _check(conversation, client, agent)
    desk = Desk(conversation, client, agent=agent, rating_seconds=rating_seconds)
    desk.seal.close_all()
    analyzer = GuardtierSecurityAnalyzer(rating_seconds=rating_seconds)
    analyzer.bind(desk)
    conversation.set_confirmation_policy(GuardtierConfirmationPolicy())
    conversation.set_security_analyzer(analyzer)
    return desk


def _check(conversation: Any, client: object, agent: str | None) -> None:
    if agent is not None and not re.fullmatch(LABEL, agent):
        raise ConfigError("agent must be 1 to 128 printable ASCII characters, no spaces", field="agent")
    if not isinstance(client, BlockingGuardClient):
        raise ConfigError("run_guarded needs a BlockingGuardClient: the SDK's loop blocks", field="client")
    if not isinstance(conversation, LocalConversation):
        raise ConfigError(
            "only a LocalConversation can be guarded: guard a remote one where its tools run",
            field="conversation",
        )
    if not conversation.agent.supports_openhands_tools:
        raise ConfigError(
            f"{conversation.agent.name} runs its tools by itself, and no verdict can hold them",
            field="conversation",
        )
    if not hasattr(conversation.state, "block_action"):
        raise ConfigError("this SDK is too old: pip install 'openhands-sdk>=1.58'", field="conversation")


def _settle(desk: Desk, timeout: float | None, on_step: Callable[[Step], None] | None) -> None:
    """Return once nothing is pending but what may run."""
    for _ in range(_CHANGES):
        pending = desk.seal.pending()
        if not pending:
            return
        step = desk.decide(pending, timeout)
        if on_step is not None:
            on_step(step)
        if not step.allowed:
            _reject(desk, step.reason)
        elif desk.let_through(step):
            return
    raise GuardtierError("the pending actions change all the time: nothing of them ran")


def _reject(desk: Desk, reason: str) -> None:
    rejected = desk.seal.pending()
    desk.conversation.reject_pending_actions(reason)
    desk.seal.open(rejected)
