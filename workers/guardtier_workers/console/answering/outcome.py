"""Outcome: how an action ended, by whom and why, in words."""

from __future__ import annotations

from guardtier.state import State
from guardtier.store.records import Record
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.cli.safe_text import shortened
from guardtier_workers.console.answering.words import span, together

_MOST_REASON = 300  #: characters of a reason within a sentence


def outcome_words(record: Record, now: int | None = None) -> str:
    """A sentence or two, fit to be shown; "" while it waits. ``now`` (milliseconds since 1970): it says how
    long ago as well.
    """
    if record.state is State.ASSESSED:
        return "It is rated, and no policy worker has decided yet whether it waits."
    verdict = record.verdict
    if verdict is None:
        return "" if record.state is State.PARKED else f"It is {record.state.value}."
    said = _sentence(verdict, "" if now is None else f" {span(now - verdict.decided_at)} ago")
    if record.state is State.REDEEMED:
        said += " The agent has taken the approval and may have run it."
    return said + _why(verdict)


def _sentence(verdict: Verdict, ago: str) -> str:
    who = together(verdict.decided_by)
    match verdict.outcome:
        case Outcome.EXPIRED:
            return f"Nobody answered in time: it expired{ago}, and the agent was told no."
        case Outcome.RELEASED:
            return f"It was released{ago} without asking anybody."
        case _ if not verdict.decided_by:
            return f"The policy {verdict.outcome.value} it{ago}."
        case Outcome.APPROVED:
            changed = " with other arguments than the agent's" if verdict.is_edited else ""
            return f"{who} approved it{changed}{ago}."
        case _:
            stop = " with a halt" if "halt" in verdict.rules else ""
            return f"{who} rejected it{stop}{ago}."


def _why(verdict: Verdict) -> str:
    reason = verdict.reason.strip()
    if not reason or verdict.outcome is Outcome.EXPIRED:
        return ""
    return f" Reason: “{shortened(reason, _MOST_REASON)}”."
