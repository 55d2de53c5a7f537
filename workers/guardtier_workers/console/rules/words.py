"""Rules, terms and policies in plain words. What people wrote in them is not escaped here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from guardtier.policy.confirmation import ConfirmRisky, NeverConfirm, Policy
from guardtier.policy.globs import matcher
from guardtier.policy.hours import DAYS, Hours
from guardtier.policy.rules import Rule
from guardtier.policy.ruling import Effect
from guardtier.policy.terms import USUAL, Terms
from guardtier_workers.console.show.times import span_words

SHOWN = 12  #: names of one matcher that are told; a matcher has up to 200


def matches(rule: Rule, fleets: Collection[str] | None = None) -> list[str]:
    """What all must hold for a rule, a sentence part each; empty: it holds for every action.

    ``fleets``: those of who reads it, None for every fleet. To others it tells no fleet that is not
    theirs, and no condition, which may name some.
    """
    named = rule.fleet
    if named is not None and fleets is not None:
        named = tuple(glob for glob in named if any(map(matcher(glob), fleets)))
    found = [
        f"{says} {_either(values)}"
        for says, values in (
            ("in fleet", named),
            ("by agent", rule.agent),
            ("in conversation", rule.conversation),
            ("with tool", rule.tool),
            ("rated", rule.risk),
            ("found:", rule.finding),
            ("its conversation is marked", rule.label),
            ("it holds a secret:", rule.redacted),
            ("it touches", rule.target),
        )
        if values is not None
    ]
    if rule.time is not None:
        found.append(_hours(rule.time))
    if rule.when is not None:
        found.append(f"where {rule.when}" if fleets is None else "where a condition of the file holds")
    return found


def outcome(rule: Rule) -> str:
    """What is done then."""
    if rule.outcome is Effect.REJECT:
        return f"is rejected: “{rule.reason}”" if rule.reason else "is rejected"
    if rule.outcome is Effect.PARK:
        return (
            f"waits for a person{_listed(terms(rule.terms)) if rule.terms else ', under the fleet’s terms'}"
        )
    if rule.release_high:
        return f"is released, also what is HIGH or UNKNOWN: {rule.owner} answers for it"
    return "is released, unless it is HIGH or UNKNOWN"


def terms(found: Terms) -> list[str]:
    """What is not as usual in the terms of what waits."""
    blocks = f"once rejected, refused for {span_words(found.retry)}"
    said: list[tuple[object, str]] = [
        (found.roles, f"answered by somebody with the role {_either(found.roles)}"),
        (found.approve > 1, f"{found.approve} people must approve it"),
        (found.reject > 1, f"{found.reject} people must reject it"),
        (found.time_limit, f"for {span_words(found.time_limit or 0)}"),
        (found.on_timeout == "wait", "then for as long again, and all are told once more"),
        (found.on_timeout == "halt", "then its conversation is halted"),
        (found.reason_required, "an answer needs a reason"),
        (not found.may_edit, "it can’t be edited"),
        (not found.may_remember, "its approval can’t be remembered"),
        (found.retry != USUAL.retry, blocks if found.retry else "not refused again once rejected"),
        (found.notify, f"told to {', '.join(found.notify)}"),
        (found.remind_every, f"again every {span_words(found.remind_every or 0)}"),
        *((True, f"after {span_words(step.after)} to {', '.join(step.notify)}") for step in found.escalate),
    ]
    return [words for is_so, words in said if is_so]


def policy(found: Policy) -> str:
    """What a fleet's own policy does with what no rule matches."""
    if isinstance(found, NeverConfirm):
        return "nothing waits but what could not be analyzed"
    if not isinstance(found, ConfirmRisky):
        return "every action waits"
    above = "" if found.threshold == "HIGH" else " or above"
    unknown = "what is UNKNOWN waits too" if found.confirm_unknown else "what is UNKNOWN does not wait"
    return f"what is {found.threshold}{above} waits; {unknown}"


def _hours(found: Hours) -> str:
    days = "" if found.days == DAYS else f"on {', '.join(found.days)} "
    if (found.start, found.end) == ("00:00", "24:00"):
        return f"{days}by the clock of {found.zone}".strip()
    return f"{days}from {found.start} to {found.end} ({found.zone})"


def _either(values: Iterable[str]) -> str:
    told = list(map(str, values))
    more = f" or {len(told) - SHOWN} others" if len(told) > SHOWN else ""
    return " or ".join(told[:SHOWN]) + more


def _listed(told: list[str]) -> str:
    return f": {'; '.join(told)}" if told else ""
