"""Desk: asks the tier about the actions of one step, and waits for what it says."""

from __future__ import annotations

import json
import logging
from time import monotonic
from typing import Any

from guardtier.action import ActionEvent
from guardtier.adapters.openhands.mapping import action_id_of, action_of
from guardtier.adapters.openhands.seal import Seal
from guardtier.adapters.openhands.steps import Ruling, Step, said_of, said_of_error
from guardtier.blocking import BlockingGuardClient
from guardtier.client import Status
from guardtier.errors import StaleVerdict
from guardtier.state import State
from guardtier.verdict import Verdict

log = logging.getLogger(__name__)

RATING_SECONDS = 30.0  #: for a rating; a person is not waited for

_MAY_HAVE_RUN = (
    "rejected: it was let through before, and the agent stopped before there was a result. It may have "
    "run: look at what it changed before you ask for it again"
)


_CHANGED = (
    "rejected: an approver changed the arguments, and the call can't be changed here. It did not run; ask "
    "for it as they would have it: {}"
)
_RENEWALS = 2  #: times that one call is asked for as a new action


class Desk:
    """Asks for one conversation. What it was told yes to, it knows until that is used."""

    def __init__(
        self,
        conversation: Any,
        client: BlockingGuardClient,
        *,
        agent: str | None = None,
        rating_seconds: float = RATING_SECONDS,
    ) -> None:
        self.conversation = conversation
        self.seal = Seal(conversation)
        self._client = client
        self._agent = agent or conversation.agent.name
        self._rating_seconds = rating_seconds
        self._partition = client.partition_for(str(conversation.id))
        self._granted: dict[str, Verdict] = {}  # event id → the yes

    def action(self, event: Any, again: int = 0) -> ActionEvent:
        """The action as the tier will know it. Raises where it can't be said exactly."""
        return action_of(
            event,
            action_id=action_id_of(self.conversation.id, event.id, self._partition, again),
            fleet=self._client.fleet,
            agent=self._agent,
            conversation=self.conversation,
        )

    def submit(self, event: Any, *, timeout: float | None = None) -> Status:
        """Have it rated, or hear what stands; a person is not waited for. Raises as the client does."""
        return self._client.submit(self.action(event), timeout=timeout or self._rating_seconds)

    def decide(self, events: list[Any], timeout: float | None) -> Step:
        """What the tier says of these. Never raises: what goes wrong is a no.

        All are asked for before any is waited for, so that people see them together; the first no
        ends the waiting. ``timeout`` is for the whole step, in seconds; None waits for the tier's
        own deadlines.
        """
        rulings = [self._asked(event) for event in events]
        ends = None if timeout is None else monotonic() + timeout
        for place, ruling in enumerate(rulings):
            if any(known.allowed is False for known in rulings):
                break
            if ruling.allowed is None:
                rulings[place] = self._waited_for(ruling, ends)
        return Step(tuple(rulings))

    def let_through(self, step: Step) -> bool:
        """Unseal a step that was allowed, where it is still what the SDK would run; else nothing.

        The digests are taken again, from what is pending now, and each verdict must be good now.
        """
        with self.conversation.state:
            pending = self.seal.pending()
            allowed = {r.event.id: r.action.digest for r in step.rulings if r.allowed and r.action}
            if {event.id: self._digest(event) for event in pending} != allowed:
                return False
            if not all(self._is_good(ruling.verdict) for ruling in step.rulings):
                return False  # a release may be over once others have been waited for
            self.seal.let_through(pending)
        for event in pending:
            self._granted.pop(event.id, None)
        return True

    def _asked(self, event: Any) -> Ruling:
        if self.seal.was_let_through(event):
            return Ruling(event, self._mapped(event), allowed=False, reason=_MAY_HAVE_RUN)
        action = None
        try:
            action = self.action(event)
            known = self._granted.get(event.id)
            if known is not None and known.digest == action.digest:
                return Ruling(event, action, allowed=self._is_good(known) or None, verdict=known)
            status = self._client.submit(action, timeout=self._rating_seconds)
        except Exception as error:
            if _is_over(error):  # as after a restart: it was released, and never let through
                return Ruling(event, action, allowed=None)
            return self._failed(event, action, error)
        if status.verdict is None or status.state in (State.APPROVED, State.REDEEMED):
            return Ruling(event, action, allowed=None)  # a person's approval has to be redeemed
        return self._ruled(event, action, status.verdict)

    def _waited_for(self, ruling: Ruling, ends: float | None) -> Ruling:
        event, action = ruling.event, ruling.action
        assert action is not None  # noqa: S101 - what is not mapped was refused when it was asked
        known = self._granted.pop(event.id, None)
        first = 0 if known is None or known.digest != action.digest else 1
        if first and ends is not None:
            ends = max(ends, monotonic() + self._rating_seconds)
        return self._newest(event, action, ends, first)

    def _newest(self, event: Any, action: ActionEvent, ends: float | None, again: int) -> Ruling:
        """Wait for a verdict. What was released and is over, and was never let through, is a new action."""
        try:
            asked = self.action(event, again)
            return self._ruled(event, asked, self._checked(asked, ends))
        except Exception as error:
            if again < _RENEWALS and _is_over(error):
                return self._newest(event, action, ends, again + 1)
            return self._failed(event, action, error)

    def _checked(self, action: ActionEvent, ends: float | None) -> Verdict:
        left = None if ends is None else max(ends - monotonic(), 0.001)
        verdict = self._client.check(action, timeout=left)
        if verdict.allowed:
            self._client.still_good(verdict)
        return verdict

    def _is_good(self, verdict: Verdict | None) -> bool:
        try:
            if verdict is not None:
                self._client.still_good(verdict)
        except Exception as error:
            log.info("asked for again: %s", error)
            return False
        return verdict is not None

    def _ruled(self, event: Any, action: ActionEvent, verdict: Verdict) -> Ruling:
        if not verdict.allowed:
            return Ruling(event, action, allowed=False, reason=said_of(verdict), verdict=verdict)
        if verdict.is_edited:  # the SDK runs the call as the model made it
            reason = _CHANGED.format(json.dumps(verdict.arguments, ensure_ascii=False))
            return Ruling(event, action, allowed=False, reason=reason, verdict=verdict)
        self._granted[event.id] = verdict
        return Ruling(event, action, allowed=True, reason=verdict.reason, verdict=verdict)

    def _failed(self, event: Any, action: ActionEvent | None, error: Exception) -> Ruling:
        log.warning("no verdict for %s: %s: %s", event.tool_name, type(error).__name__, error)
        return Ruling(event, action, allowed=False, reason=said_of_error(error))

    def _mapped(self, event: Any) -> ActionEvent | None:
        try:
            return self.action(event)
        except Exception:  # only its name is shown then
            return None

    def _digest(self, event: Any) -> str | None:
        action = self._mapped(event)
        return action.digest if action is not None else None


def _is_over(error: Exception) -> bool:
    """Whether it was released, and its time is past; not where a clock is wrong, or it counts later."""
    return isinstance(error, StaleVerdict) and error.field == "valid_until"
