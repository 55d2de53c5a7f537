"""Step: what the tier said of the actions of one step, and the reason that the model reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from guardtier.action import ActionEvent
from guardtier.errors import GuardtierError, GuardTimeout, TierUnavailable, TurnedAway
from guardtier.verdict import Outcome, Verdict

MAX_REASON = 1000  #: characters of one action's reason, as the model reads it
MAX_CALL = 120  #: characters of one call's arguments, so that it is told apart from its neighbours


@dataclass(frozen=True, slots=True)
class Ruling:
    """What stands for one action. ``allowed`` is None while nobody has decided.

    ``action`` is None where the SDK's action could not be mapped; ``verdict`` where none came.
    """

    event: Any
    action: ActionEvent | None
    allowed: bool | None
    reason: str = ""
    verdict: Verdict | None = None

    @property
    def call(self) -> str:
        """Tool and arguments, short."""
        name = str(self.event.tool_name)[:MAX_CALL]
        if self.action is None:
            return name
        return f"{name} {_cut(json.dumps(self.action.arguments, ensure_ascii=False), MAX_CALL)}"


@dataclass(frozen=True, slots=True)
class Step:
    """The actions that the model asked for together. The SDK runs all of them, or none."""

    rulings: tuple[Ruling, ...]

    @property
    def allowed(self) -> bool:
        """Whether every one of them may run."""
        return all(ruling.allowed is True for ruling in self.rulings)

    @property
    def reason(self) -> str:
        """Why the step was rejected: each action, and what was said of it."""
        lines = [f"{number}. {r.call}: {_said(r)}" for number, r in enumerate(self.rulings, start=1)]
        return "\n".join(["The guard rejected this step as a whole; nothing of it was run now.", *lines])


def said_of(verdict: Verdict) -> str:
    """A verdict that is a no, as a sentence."""
    who = f" by {', '.join(verdict.decided_by)}" if verdict.decided_by else ""
    why = verdict.reason or "; ".join(finding.message for finding in verdict.findings)
    if verdict.outcome is Outcome.EXPIRED:
        return f"expired: nobody answered in time{f' ({why})' if why else ''}"
    return f"rejected{who}: {why or 'no reason was given'}"


def said_of_error(error: Exception) -> str:
    """What went wrong on the way to a verdict, as a sentence."""
    if isinstance(error, TierUnavailable):
        return "rejected: the guard tier can't be reached"  # where it is, is no business of the model's
    if isinstance(error, GuardTimeout) and error.field == "parked":
        return f"rejected: {error}"
    if isinstance(error, GuardTimeout):
        return f"rejected: the guard tier was too slow ({error})"
    if isinstance(error, TurnedAway):
        return f"rejected unrated: {error} ({error.code}, in {error.retry_after:.0f} s)"
    if isinstance(error, GuardtierError):
        return f"rejected: {error} ({error.code})"
    return f"rejected: the guard failed ({type(error).__name__})"


def _said(ruling: Ruling) -> str:
    if ruling.allowed is True:
        return "allowed, but held back with the step"
    if ruling.allowed is None:
        return "not decided yet, and held back with the step"
    return _cut(ruling.reason, MAX_REASON)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
