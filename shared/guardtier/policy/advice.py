"""Advice: what is allowed in a policy file, and is hardly meant (``guardtier policy check`` says it)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from guardtier.policy.file import PolicyFile
from guardtier.policy.joining import joined
from guardtier.policy.known import cut_short
from guardtier.policy.masks import bits_of
from guardtier.policy.overlap import Covering, apart
from guardtier.policy.rules import RISKY, Rule
from guardtier.policy.ruling import Effect
from guardtier.policy.terms import Terms

_ELSEWHERE = frozenset("?[]^$|\\(){}")
MOST_PAIRS = 20  #: of rules that ask for more together than each alone


def advice(file: PolicyFile) -> list[str]:
    """One sentence for each."""
    covering = Covering(file.rule)
    found = [said for rule in file.rule for said in _of(rule, file.rule, covering)]
    found += [said for rule in file.rule for said in (*_short(rule, file.own), *_not_globs(rule))]
    found += islice(_harder_together(file.rule), MOST_PAIRS)
    if file.rule and not file.test:
        found.append("no [[test]] says what the rules are for: add one for each action that matters")
    return found


def _of(rule: Rule, others: Sequence[Rule], covering: Covering) -> Iterator[str]:
    if rule.outcome is Effect.RELEASE and not rule.release_high and _may_be_risky(rule):
        yield (
            f"rule {rule.name!r} releases what is LOW or MEDIUM; what is HIGH or UNKNOWN it does not match "
            "(release_high = true and an owner would release that too)"
        )
    if rule.terms is not None and rule.terms.remind_every and not _tells(rule.terms):
        yield f"rule {rule.name!r} reminds nobody: remind_every is for whom notify or escalate names"
    wider = (others[number] for number in bits_of(covering.of(rule)))
    if over := next((one for one in wider if one.outcome.strictness > rule.outcome.strictness), None):
        yield (
            f"rule {rule.name!r} never decides: what it matches, {over.name!r} matches too, and says "
            f"{over.outcome.value}"
        )
    if rule.asks and rule.tool is None and rule.finding is None and rule.redacted is None:
        what = "when" if rule.when is not None else "target"
        yield (
            f"rule {rule.name!r} asks {what} of every action of its fleets, and an action that it can't be "
            "told of is parked: name the tools or findings that it is for"
        )


def _short(rule: Rule, own: Sequence[str]) -> Iterator[str]:
    """Findings that no detector gives, since more stands behind them: such a rule waits for ever."""
    for glob in rule.finding or ():
        if cut_short(glob, own):
            yield f"rule {rule.name!r}: finding {glob!r} is only the beginning of ids: write '{glob}.*'"


def _not_globs(rule: Rule) -> Iterator[str]:
    """Names with what other globs, and regular expressions, are made of: here it stands for itself."""
    for key, globs in (("agent", rule.agent), ("tool", rule.tool), ("conversation", rule.conversation)):
        for glob in globs or ():
            if set(glob) & _ELSEWHERE:
                yield f"rule {rule.name!r}: {key} {glob!r}: only * is special, all else is itself"
    for glob in rule.target or ():
        scheme, found, rest = glob.partition("://")
        host = rest.partition("/")[0]
        if found and (scheme + host).lower() != scheme + host:
            yield f"rule {rule.name!r}: target {glob!r}: write scheme and host in lower case"


def _tells(terms: Terms) -> bool:
    return bool(terms.notify or terms.escalate)


def _may_be_risky(rule: Rule) -> bool:
    return rule.risk is None or not RISKY.isdisjoint(rule.risk)


def _harder_together(rules: Sequence[Rule]) -> Iterator[str]:
    """Two rules that may park the same action, and then ask for what neither asks for alone."""
    together = cache(_together)
    parking = [(rule, rule.terms) for rule in rules if rule.terms is not None]
    for number, (one, terms) in enumerate(parking):
        for other, others in parking[number + 1 :]:
            says = together(terms.roles, terms.approve, others.roles, others.approve)
            if says and not apart(one, other):
                yield f"{one.name!r} and {other.name!r} may park the same action: then it takes {says}"


def _together(roles: tuple[str, ...], approve: int, others: tuple[str, ...], needs: int) -> str:
    """What two quorums come to; empty where that is one of the two."""
    both = joined([Terms(roles=roles, approve=approve), Terms(roles=others, approve=needs)])
    if (both.roles, both.approve) in ((roles, approve), (others, needs)):
        return ""
    who = f" with the role {' or '.join(both.roles)}" if both.roles else ""
    return f"{both.approve} to approve{who}; see that there are so many"
