"""Overlap: which rules surely match, or surely do not match, what another one matches."""

from __future__ import annotations

from collections.abc import Sequence

from guardtier.policy.globs import may_overlap
from guardtier.policy.hours import Hours
from guardtier.policy.masks import GlobMasks
from guardtier.policy.rules import Rule
from guardtier.risk import SecurityRisk

_ONE_VALUE = ("fleet", "agent", "conversation", "tool")  #: of which an action has one at most
_MATCHERS = (*_ONE_VALUE, "finding", "label", "redacted", "target")


class Covering:
    """Of many rules those that surely count wherever a given one matches.

    A star of a glob is itself matched only by a star, so one glob covers another where it matches it as a
    text. With masks, since 2,000 rules are 4,000,000 pairs.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        rows = [(rule, 1 << number) for number, rule in enumerate(rules)]
        self._globs = {key: GlobMasks((getattr(rule, key), bit) for rule, bit in rows) for key in _MATCHERS}
        self._risk = {risk: sum(bit for rule, bit in rows if risk in rule.risks) for risk in SecurityRisk}
        self._times: dict[Hours | None, int] = {}
        for rule, bit in rows:
            if rule.mode == "enforce" and rule.when is None:
                self._times[rule.time] = self._times.get(rule.time, 0) | bit

    def of(self, rule: Rule) -> int:
        """One bit for each of the rules, this one's own among them."""
        mask = self._times.get(None, 0) | self._times.get(rule.time, 0)
        for risk in rule.risks:
            mask &= self._risk[risk]
        for key, masks in self._globs.items():
            globs: Sequence[str] | None = getattr(rule, key)
            for glob in (None,) if globs is None else globs:
                mask &= masks.of(glob)
        return mask


def apart(one: Rule, other: Rule) -> bool:
    """Whether no action can match both; False also where that can't be told."""
    if one.risks.isdisjoint(other.risks):
        return True
    pairs = [(getattr(one, key), getattr(other, key)) for key in _ONE_VALUE]
    return any(
        mine is not None and theirs is not None and not any(may_overlap(a, b) for a in mine for b in theirs)
        for mine, theirs in pairs
    )
