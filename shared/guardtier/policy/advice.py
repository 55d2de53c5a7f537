"""Advice: what is allowed in a policy file, and is hardly meant (``guardtier policy check`` says it)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardtier.policy.file import PolicyFile
from guardtier.policy.globs import covers, may_overlap
from guardtier.policy.joining import joined
from guardtier.policy.rules import RISKY, Rule
from guardtier.policy.ruling import Effect

_MATCHERS = ("fleet", "agent", "conversation", "tool", "finding", "label", "target")


def advice(file: PolicyFile) -> list[str]:
    """One sentence for each, in the order of the rules."""
    found = [said for rule in file.rule for said in _of(rule, file.rule)]
    if file.rule and not file.test:
        found.append("no [[test]] says what the rules are for: add one for each action that matters")
    return found


def _of(rule: Rule, others: Sequence[Rule]) -> Iterator[str]:
    if rule.outcome is Effect.RELEASE and not rule.release_high and _may_be_risky(rule):
        yield (
            f"rule {rule.name!r} releases what is LOW or MEDIUM; what is HIGH or UNKNOWN it does not match "
            "(release_high = true and an owner would release that too)"
        )
    if stricter := next((one for one in others if _overrules(one, rule)), None):
        yield (
            f"rule {rule.name!r} never decides: what it matches, {stricter.name!r} matches too, and says "
            f"{stricter.outcome.value}"
        )
    for other in others[others.index(rule) + 1 :]:
        if said := _harder_together(rule, other):
            yield said
    if rule.asks and rule.tool is None and rule.finding is None:
        what = "when" if rule.when is not None else "target"
        yield (
            f"rule {rule.name!r} asks {what} of every action of its fleets, and an action that it can't be "
            "told of is parked: name the tools or findings that it is for"
        )


def _harder_together(one: Rule, other: Rule) -> str:
    """What two rules that may park the same action ask for, where neither asks for it alone."""
    if one.terms is None or other.terms is None or _apart(one, other):
        return ""
    both = joined([one.terms, other.terms])
    if (both.roles, both.approve) in [(terms.roles, terms.approve) for terms in (one.terms, other.terms)]:
        return ""
    who = f" with the role {' or '.join(both.roles)}" if both.roles else ""
    return (
        f"rules {one.name!r} and {other.name!r} may park the same action: then it takes {both.approve} to "
        f"approve{who}; see that there are so many"
    )


def _apart(one: Rule, other: Rule) -> bool:
    """Whether no action can match both, as far as that can be told."""
    if one.risks.isdisjoint(other.risks):
        return True
    pairs = [(getattr(one, key), getattr(other, key)) for key in ("fleet", "agent", "conversation", "tool")]
    return any(
        mine is not None and theirs is not None and not any(may_overlap(a, b) for a in mine for b in theirs)
        for mine, theirs in pairs
    )


def _may_be_risky(rule: Rule) -> bool:
    return rule.risk is None or not RISKY.isdisjoint(rule.risk)


def _overrules(strict: Rule, mild: Rule) -> bool:
    """Whether the first is stricter and surely matches whatever the second does."""
    if strict.outcome.strictness <= mild.outcome.strictness or strict.mode == "shadow":
        return False
    if strict.when is not None or (strict.time is not None and strict.time != mild.time):
        return False
    if not mild.risks <= strict.risks:
        return False
    return all(_wider(getattr(strict, key), getattr(mild, key)) for key in _MATCHERS)


def _wider(wide: Sequence[str] | None, narrow: Sequence[str] | None) -> bool:
    if wide is None:
        return True
    return narrow is not None and all(any(covers(one, glob) for one in wide) for glob in narrow)
